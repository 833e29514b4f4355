package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/config"
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
	create := l.Config.Defaults.CreateHome
	if slices.Contains(o.Set, "create_home") {
		create = o.CreateHome
	}
	l.home(id, &o.Settings, create)
	for i, m := range o.Mounts {
		l.directory(fmt.Sprintf("%s.mount[%d].directory", id, i), m.Directory, "nothing can be shown at "+m.Path)
	}
}

// home looks at a home; one that a login makes needs its parent alone.
func (l *look) home(id string, s *config.Settings, create bool) {
	dir := s.Home
	if create && dir != "" {
		dir = path.Dir(dir)
	}
	l.directory(id+".home", dir, "whoever has this home cannot log in")
}

// directory looks at what of the path holds for every user.
func (l *look) directory(id, dir, otherwise string) {
	if dir == "" {
		return
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
	}
}
