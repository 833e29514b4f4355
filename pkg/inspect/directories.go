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

const (
	noHome       = "users with this home cannot log in"
	noHomeParent = "users with a home in it cannot log in"
)

// A directory is a directory that the configuration names. If a part of its path depends on
// the user, it is the parent that all users share.
type directory struct {
	id          string // its key; "" for a root that the files do not name
	path        string
	consequence string // what happens if it cannot be used
	homesAreNew bool   // logins create homes in it
}

// directories reports the directories that cannot be used. It does not check the homes of
// system accounts; these are checked at the login. It opens all directories at the same time,
// because each open may take long.
func (l *inspection) directories(ctx context.Context) {
	all := l.configured()
	for _, root := range config.ExpandRoots(l.Config.Roots(), sandbox.TopNames()) {
		if !slices.ContainsFunc(all, func(d directory) bool { return d.path == root }) {
			all = append(all, directory{path: root, consequence: noHomeParent})
		}
	}
	var paths []string
	for _, d := range all {
		paths = append(paths, d.path)
	}
	found, err := sandbox.Look(ctx, paths...)
	if err != nil {
		l.Report("", true, "the directories cannot be checked: %v", err)
		return
	}
	defer sandbox.Close(found)
	for i, d := range all {
		l.directory(d, found[i])
	}
}

// configured returns the directories that the files of the configuration name.
func (l *inspection) configured() (all []directory) {
	add := func(id, dir, consequence string) {
		if dir == "" {
			return
		}
		if fixed := config.FixedParent(dir); fixed != dir {
			dir, consequence = fixed, strings.Replace(consequence, noHome, noHomeParent, 1)
		}
		all = append(all, directory{id: id, path: dir, consequence: consequence})
	}
	home := func(id string, s *config.Settings, create bool) {
		dir := s.Home
		if create && dir != "" {
			dir = path.Dir(dir)
		}
		add(id+".home", dir, noHome)
		if n := len(all); create && dir != "" && config.FixedParent(dir) == dir {
			all[n-1].homesAreNew = true
		}
	}
	override := func(id string, o *config.Override) {
		home(id, &o.Settings, l.Config.MakesHome(o))
		for i, m := range o.Mounts {
			key := fmt.Sprintf("%s.mount[%d].directory", id, i)
			add(key, m.Directory, "nothing can be shown at "+m.Path)
		}
	}
	c := l.Config
	for i, root := range c.Server.Roots {
		key := fmt.Sprintf("server.roots[%d]", i)
		add(key, root, "it is served only if it exists when the service starts")
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

// directory reports why a directory cannot be used. A directory that logins create homes in
// must be one in which that is safe.
func (l *inspection) directory(d directory, found sandbox.Root) {
	switch {
	case errors.Is(found.Err, fs.ErrNotExist) && d.id == "": // for example /home on some hosts
	case errors.Is(found.Err, fs.ErrNotExist):
		l.Report(d.id, true, "there is no directory %s: %s", d.path, d.consequence)
	case errors.Is(found.Err, fs.ErrPermission) && !isRoot():
	case found.Err != nil:
		l.Report(d.id, true, "%s cannot be used: %v: %s", d.path, found.Err, d.consequence)
	case !found.Dir:
		l.Report(d.id, true, "%s is not a directory: %s", d.path, d.consequence)
	case d.homesAreNew:
		err := supervisor.CheckHomes(d.path)
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			l.Report(d.id, true, "create_home makes no home in %s: %v", d.path, err)
		}
	}
}
