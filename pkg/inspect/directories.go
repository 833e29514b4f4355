package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/config"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/supervisor"
)

// A directory is one that the configuration names, or as much of it as holds for every user.
type directory struct {
	id        string // its key; "" for a root that stands in no file
	path      string
	otherwise string // what users meet without it
	made      bool   // a login makes homes in it
}

// directories tells which directories cannot be used. Homes of system accounts are looked at when their users come. All are looked at
// together, since each may take as long as the slowest.
func (l *look) directories(ctx context.Context) {
	all := l.named()
	for _, root := range sandbox.Expand(l.Config.Roots(), sandbox.TopNames()) {
		if !slices.ContainsFunc(all, func(d directory) bool { return d.path == root }) {
			all = append(all, directory{path: root, otherwise: "whoever has a home there cannot log in"})
		}
	}
	var paths []string
	for _, d := range all {
		paths = append(paths, d.path)
	}
	found, err := sandbox.Look(ctx, paths...)
	if err != nil {
		l.Tell("", true, "no directory can be looked at: %v", err)
		return
	}
	defer sandbox.Close(found)
	for i, d := range all {
		l.judge(d, found[i])
	}
}

// named returns the directories that stand in the files.
func (l *look) named() (all []directory) {
	add := func(id, dir, otherwise string) {
		if dir == "" {
			return
		}
		if fixed := config.FixedParent(dir); fixed != dir {
			dir, otherwise = fixed, strings.Replace(otherwise, "whoever has this home", "whoever has a home there", 1)
		}
		all = append(all, directory{id: id, path: dir, otherwise: otherwise})
	}
	home := func(id string, s *config.Settings, create bool) {
		dir := s.Home
		if create && dir != "" {
			dir = path.Dir(dir)
		}
		add(id+".home", dir, "whoever has this home cannot log in")
		if n := len(all); create && dir != "" && config.FixedParent(dir) == dir {
			all[n-1].made = true
		}
	}
	override := func(id string, o *config.Override) {
		home(id, &o.Settings, l.Config.MakesHome(o))
		for i, m := range o.Mounts {
			add(fmt.Sprintf("%s.mount[%d].directory", id, i), m.Directory, "nothing can be shown at "+m.Path)
		}
	}
	c := l.Config
	for i, root := range c.Server.Roots {
		add(fmt.Sprintf("server.roots[%d]", i), root, "it is served only when it is there at a start")
	}
	if c.Anonymous.Enabled {
		add("anonymous.directory", c.Anonymous.Directory, "no anonymous user can log in")
	}
	home("defaults", &c.Defaults, c.Defaults.CreateHome)
	for i := range c.Groups {
		override(fmt.Sprintf("group[%d]", i), &c.Groups[i].Override)
	}
	for i := range c.Users {
		override(fmt.Sprintf("user[%d]", i), &c.Users[i].Override)
	}
	return all
}

// judge tells what is wrong with a directory. One that is made at a login needs a parent that is safe to make it in.
func (l *look) judge(d directory, found sandbox.Root) {
	switch {
	case errors.Is(found.Err, fs.ErrNotExist) && d.id == "": // /home, which not every host has
	case errors.Is(found.Err, fs.ErrNotExist):
		l.Tell(d.id, true, "there is no directory %s: %s", d.path, d.otherwise)
	case errors.Is(found.Err, fs.ErrPermission) && !isRoot():
	case found.Err != nil:
		l.Tell(d.id, true, "%s cannot be used: %v: %s", d.path, found.Err, d.otherwise)
	case !found.Dir:
		l.Tell(d.id, true, "%s is not a directory: %s", d.path, d.otherwise)
	case d.made:
		if err := supervisor.CheckHomes(d.path); err != nil && !errors.Is(err, fs.ErrPermission) {
			l.Tell(d.id, true, "create_home makes none in %s: %v", d.path, err)
		}
	}
}
