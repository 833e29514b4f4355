package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"ftpd/pkg/config"
	"ftpd/pkg/supervisor"
)

// directories tells which directories that the configuration names are not there. That of anonymous users is told by the configuration
// itself, at a start too; homes of system accounts are looked at when their users come.
func (l *look) directories() {
	c := l.Config
	for i, root := range c.Server.Roots {
		l.directory(fmt.Sprintf("server.roots[%d]", i), root, "it is served only when it is there at a start")
	}
	l.home("defaults", &c.Defaults, c.Defaults.CreateHome)
	for i := range c.Groups {
		l.override(fmt.Sprintf("group[%d]", i), &c.Groups[i].Override)
	}
	for i := range c.Users {
		l.override(fmt.Sprintf("user[%d]", i), &c.Users[i].Override)
	}
}

func (l *look) override(id string, o *config.Override) {
	l.home(id, &o.Settings, l.Config.MakesHome(o))
	for i, m := range o.Mounts {
		l.directory(fmt.Sprintf("%s.mount[%d].directory", id, i), m.Directory, "nothing can be shown at "+m.Path)
	}
}

// home looks at a home. One that a login makes needs its parent alone, which must be safe to make it in.
func (l *look) home(id string, s *config.Settings, create bool) {
	const otherwise = "whoever has this home cannot log in"
	if s.Home == "" || !create {
		l.directory(id+".home", s.Home, otherwise)
		return
	}
	parent := path.Dir(s.Home)
	if !l.directory(id+".home", parent, otherwise) || config.FixedParent(parent) != parent {
		return
	}
	if err := supervisor.CheckHomes(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
		l.Tell(id+".home", true, "create_home makes none in %s: %v", parent, err)
	}
}

// directory looks at what of the path holds for every user, and says whether nothing is wrong with it.
func (l *look) directory(id, dir, otherwise string) bool {
	if dir == "" {
		return true
	}
	if fixed := config.FixedParent(dir); fixed != dir {
		dir, otherwise = fixed, strings.Replace(otherwise, "whoever has this home", "whoever has a home there", 1)
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.Tell(id, true, "there is no directory %s: %s", dir, otherwise)
	case err == nil && !info.IsDir():
		l.Tell(id, true, "%s is not a directory: %s", dir, otherwise)
	default:
		return true
	}
	return false
}
