// Package view decides which directory a path of a user leads to, and what the configuration
// permits there. It makes no system call: what depends on the file system is decided by the
// directory of the mount (Root).
//
// A view is a table of mounts, of rules for paths, and of patterns of hidden names. Names are the
// FTP paths that a client sends. A place is the real path of a file below its mount, after all
// links; "." is the mount itself. Package vfs finds the place, with the file open, and the
// permissions at that place hold.
package view

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/config"
)

// maxName is the length of the longest name in bytes: PATH_MAX of Linux without its NUL.
const maxName = 4095

// The errors of this package, besides fs.ErrNotExist for what is hidden.
var (
	ErrNotAllowed = errors.New("not permitted by the configuration")
	ErrName       = errors.New("not a possible name")
)

// A View is the table of one session. It is immutable after New.
type View struct {
	mounts []*Mount           // the longest path first, the home last
	base   config.Permissions // of paths without a rule
	rules  []rule             // the longest path first
	hide   hiding
}

// A Mount is a directory of the host in the view. Its methods take a place in it.
type Mount struct {
	Path      string // the FTP path; New cleans it
	Directory string // path on the host
	Root      Root

	view    *View
	spelled spelled
	place   spelled // of the path in the mount that contains it, after links; unset for the home
}

// A Root is the directory of a mount. Its methods look at the file system, as the user. Their paths
// are relative to the mount.
type Root interface {
	// Compare compares two names in the directory dir.
	Compare(dir, name, other string) Likeness

	// Folds reports whether the directory dir ignores case. It returns true if that cannot be
	// found out, and false if there is no such directory.
	Folds(dir string) bool

	// ListsOtherwise reports whether the directory dir has an entry with this name that it lists
	// under another name. It returns true if that cannot be found out, and false if there is no
	// such directory.
	ListsOtherwise(dir, name string) bool

	// Follow follows the links in a path, as far as it exists and the user may look it up. It
	// returns the place.
	Follow(name string) (place string, err error)
}

// A Location is the position of a name in the table of mounts.
type Location struct {
	*Mount
	Name string // the cleaned FTP path
	Rel  string // relative to the mount; "." is the mount itself
}

// New returns a view of open mounts, of which one is the home at "/". It follows the links in the
// paths of rules and mounts.
func New(mounts []*Mount, rights config.Rights, hide []string) (*View, error) {
	v := &View{mounts: slices.Clone(mounts), base: rights.Base, hide: hidingOf(hide)}
	for _, m := range v.mounts {
		m.Path = path.Clean(m.Path)
		m.view, m.spelled = v, spell(m.Path)
	}
	slices.SortStableFunc(v.mounts, func(a, b *Mount) int { return len(b.Path) - len(a.Path) })
	for _, r := range rights.Rules {
		v.rules = append(v.rules, rule{spell(r.Path), r.Permissions})
	}
	return v, v.followLinks()
}

// Locate returns the location of a name.
func (v *View) Locate(name string) (Location, error) {
	if !strings.HasPrefix(name, "/") || len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
		return Location{}, ErrName
	}
	name = path.Clean(name)
	if v.hide.path(name) {
		return Location{}, errHiddenName
	}
	m := v.mountOf(name)
	return Location{Mount: m, Name: name, Rel: m.below(name)}, nil
}

// mountOf returns the mount of a cleaned FTP path. It always exists, because the home has the path
// "/".
func (v *View) mountOf(name string) *Mount {
	i := slices.IndexFunc(v.mounts, func(m *Mount) bool { return config.Within(name, m.Path) })
	return v.mounts[i]
}

// Inside returns the mounts to list in the directory at l, which are those below its name, and the
// names of the entries that mounts hide at the place of the directory.
func (l Location) Inside(place string) (mounts []*Mount, hidden []string) {
	name := l.viewPath(place)
	for _, m := range l.view.mounts {
		if m.Path == "/" {
			continue
		}
		if path.Dir(m.Path) == l.Name {
			mounts = append(mounts, m)
		}
		if depth(m.Path) == depth(name.path)+1 && l.leads(name, m.spelled) != Different {
			hidden = append(hidden, path.Base(m.Path))
		}
	}
	return mounts, hidden
}

// below returns the path relative to the mount of an FTP path at or below the mount.
func (m *Mount) below(name string) string {
	rel := strings.TrimPrefix(strings.TrimPrefix(name, m.Path), "/")
	if rel == "" {
		return "."
	}
	return rel
}

// viewPath returns the FTP path of a place.
func (m *Mount) viewPath(place string) spelled { return spell(path.Join(m.Path, place)) }

// Permissions and mounts hold for places, which have no links. So a rule whose path is a symlink,
// or lies below one, would hold for nothing. Therefore links in the paths of rules and mounts are
// followed when a view is made, and the rule holds for the place as well; a mount hides the place.

// followLinks adds the places that the paths of rules and mounts lead to.
func (v *View) followLinks() error {
	for _, m := range v.mounts {
		if m.Path == "/" {
			continue
		}
		place, err := v.mountOf(path.Dir(m.Path)).follow(m.Path)
		if err != nil {
			return fmt.Errorf("follow the path of the mount %q: %w", m.Path, err)
		}
		m.place = place
	}
	for _, r := range slices.Clone(v.rules) {
		place, err := v.mountOf(r.path).follow(r.path)
		if err != nil {
			return fmt.Errorf("follow the path of the rule %q: %w", r.path, err)
		}
		if place.path != r.path {
			v.addRule(rule{place, r.permissions})
		}
	}
	return nil
}

// follow returns the place of a path in m, as an FTP path.
func (m *Mount) follow(name string) (spelled, error) {
	place, err := m.Root.Follow(m.below(name))
	return m.viewPath(place), err
}

// addRule adds a rule. If another one has the same path, only what both permit is permitted there.
func (v *View) addRule(added rule) {
	i := slices.IndexFunc(v.rules, func(r rule) bool { return r.path == added.path })
	if i >= 0 {
		v.rules[i].permissions &= added.permissions
		return
	}
	v.rules = append(v.rules, added)
	slices.SortStableFunc(v.rules, func(a, b rule) int { return len(b.path) - len(a.path) })
}
