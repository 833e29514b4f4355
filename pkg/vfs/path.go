package vfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/config"
)

// maxName is the longest name in bytes, as everywhere on Linux (PATH_MAX without its NUL).
const maxName = 4095

// A mount is a directory of the host in the view.
type mount struct {
	path      string // FTP path, cleaned
	spelled   spelled
	directory string // of the host
	root      *root
}

// at is the FTP path of a place.
func (m *mount) at(place string) spelled { return spell(path.Join(m.path, place)) }

// A rule gives the permissions at and below a path.
type rule struct {
	spelled
	permissions config.Permissions
}

// A location is a name's place in the table of mounts.
type location struct {
	*mount
	name string // the cleaned FTP path
	rel  string // the same relative to the mount; "." is the mount itself
}

// add keeps the mounts in the order in which they are tried.
func (f *FS) add(m *mount) {
	f.mounts = append(f.mounts, m)
	slices.SortStableFunc(f.mounts, func(a, b *mount) int { return len(b.path) - len(a.path) })
}

// locate finds the mount of a name.
func (f *FS) locate(name string) (location, error) {
	if !strings.HasPrefix(name, "/") || len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
		return location{}, ErrName
	}
	name = path.Clean(name)
	if f.hide.path(name) {
		return location{}, errHiddenName
	}
	m := f.mountOf(name)
	return location{mount: m, name: name, rel: m.below(name)}, nil
}

// mountOf finds the mount of a cleaned FTP path. There is always one: the home's path is "/".
func (f *FS) mountOf(name string) *mount {
	i := slices.IndexFunc(f.mounts, func(m *mount) bool { return config.Within(name, m.path) })
	return f.mounts[i]
}

// holdsMount reports whether a cleaned FTP path, which lies in m, is a mount or lies above one.
func (f *FS) holdsMount(m *mount, name spelled) bool {
	return slices.ContainsFunc(f.mounts, func(o *mount) bool { return f.leads(m, name, o.spelled) != different })
}

// ruled reports whether a rule or a mount is at a place of a mount or below.
func (f *FS) ruled(m *mount, place string) bool {
	name := m.at(place)
	return f.holdsMount(m, name) ||
		slices.ContainsFunc(f.rules, func(r rule) bool { return f.leads(m, name, r.spelled) != different })
}

// permit asks for what the user needs at a resolved place of a mount.
func (f *FS) permit(m *mount, place string, want config.Permissions) error {
	name := m.at(place)
	if err := f.shown(m, name); err != nil {
		return err
	}
	return f.allow(m, name, want)
}

// shown is nil where a place of a mount is in the view. Where a link led to what another mount hides, there is nothing.
func (f *FS) shown(m *mount, name spelled) error {
	for _, other := range f.mounts {
		if other == m {
			break // it holds all that those do which follow
		}
		if f.covers(m, name, other.spelled) != different {
			return errHidden
		}
	}
	if place := m.below(name.path); f.hide.path(place) || f.hides(m, place) {
		return errHiddenName
	}
	return nil
}

// allow asks for what the user needs at a place of a mount, whether or not that is in the view.
func (f *FS) allow(m *mount, name spelled, want config.Permissions) error {
	granted, by := f.permissions(m, name)
	switch {
	case granted.Has(want):
		return nil
	case by != "":
		return fmt.Errorf("another spelling of %q, which has a rule: %w", by, ErrNotAllowed)
	}
	return ErrNotAllowed
}

// permissions are those of the rule with the longest path at or above a place of a mount, or else of the whole tree. Beside them is
// the path of that rule where the place spells it otherwise. Where nothing tells yet whether it does, both have to permit.
func (f *FS) permissions(m *mount, name spelled) (granted config.Permissions, by string) {
	granted = config.Full
	for _, r := range f.rules {
		like := f.covers(m, name, r.spelled)
		if like == different {
			continue
		}
		granted &= r.permissions
		if !config.Within(name.path, r.path) {
			by = r.path
		}
		if like == same {
			return granted, by
		}
	}
	return granted & f.base, by
}

// enterable asks whether anything is permitted at a resolved place of a mount, or below.
func (f *FS) enterable(m *mount, place string) error {
	name := m.at(place)
	if err := f.shown(m, name); err != nil {
		return err
	}
	if granted, _ := f.permissions(m, name); granted != 0 {
		return nil
	}
	if slices.ContainsFunc(f.rules, func(r rule) bool { return r.permissions != 0 && f.leads(m, name, r.spelled) != different }) {
		return nil
	}
	return ErrNotAllowed
}
