package vfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/config"
)

// maxName is the length of the longest name in bytes: PATH_MAX of Linux without its NUL.
const maxName = 4095

// A mount is a directory of the host in the view.
type mount struct {
	path      string // the cleaned FTP path
	spelled   spelled
	place     spelled // of path in the mount that contains it, after links; unset for the home
	directory string  // path on the host
	root      *root
}

// viewPath returns the FTP path of a place.
func (m *mount) viewPath(place string) spelled { return spell(path.Join(m.path, place)) }

// A rule holds the permissions at a path and below it.
type rule struct {
	spelled
	permissions config.Permissions
}

// A location is the position of a name in the table of mounts.
type location struct {
	*mount
	name string // the cleaned FTP path
	rel  string // relative to the mount; "." is the mount itself
}

// add inserts a mount, the longest path first: in this order mounts are searched.
func (f *FS) add(m *mount) {
	f.mounts = append(f.mounts, m)
	slices.SortStableFunc(f.mounts, func(a, b *mount) int { return len(b.path) - len(a.path) })
}

// locate returns the location of a name.
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

// mountOf returns the mount of a cleaned FTP path. It always exists, because the home has the path
// "/".
func (f *FS) mountOf(name string) *mount {
	i := slices.IndexFunc(f.mounts, func(m *mount) bool { return config.Within(name, m.path) })
	return f.mounts[i]
}

// holdsMount reports whether a cleaned FTP path in m is a mount or lies above one.
func (f *FS) holdsMount(m *mount, name spelled) bool {
	return slices.ContainsFunc(f.mounts, func(o *mount) bool {
		return f.leads(m, name, o.spelled) != different
	})
}

// ruled reports whether a rule or a mount exists at a place of m or below it.
func (f *FS) ruled(m *mount, place string) bool {
	name := m.viewPath(place)
	return f.holdsMount(m, name) ||
		slices.ContainsFunc(f.rules, func(r rule) bool {
			return f.leads(m, name, r.spelled) != different
		})
}

// granted returns the permissions at a resolved place of m.
func (f *FS) granted(m *mount, place string) config.Permissions {
	if !f.needsPlaces {
		return f.base
	}
	granted, _ := f.permissions(m, m.viewPath(place))
	return granted
}

// throughLink returns what may be done to the target of a link by the name of the link. Delete and
// Rename act on the link itself.
func throughLink(target, link config.Permissions) config.Permissions {
	const own = config.Delete | config.Rename
	return target&^own | link&own
}

// permit checks that a resolved place of m is visible and that the user has the permission want
// there.
func (f *FS) permit(m *mount, place string, want config.Permissions) error {
	name := m.viewPath(place)
	if err := f.shown(m, name); err != nil {
		return err
	}
	return f.allow(m, name, want)
}

// shown returns nil if a place of m is visible in the view. A place that a link leads to is not
// visible if another mount hides it.
func (f *FS) shown(m *mount, name spelled) error {
	for _, other := range f.mounts {
		if other == m {
			break // m contains all the mounts that follow
		}
		if f.covers(m, name, other.spelled) != different ||
			f.covers(m, name, other.place) != different {
			return errHidden
		}
	}
	if place := m.below(name.path); f.hide.path(place) || f.hides(m, place) {
		return errHiddenName
	}
	return nil
}

// allow checks that the user has the permission want at a place of m. It does not check whether
// the place is visible.
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

// permissions returns the permissions of the rule with the longest path at or above a place of m,
// or those of the whole tree if there is no such rule. by is the path of that rule if the place is
// another spelling of it. If it cannot be known yet whether it is one, a permission is granted only
// if it is granted in both cases.
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

// enterable checks that any permission is granted at a resolved place of m or below it.
func (f *FS) enterable(m *mount, place string) error {
	name := m.viewPath(place)
	if err := f.shown(m, name); err != nil {
		return err
	}
	if granted, _ := f.permissions(m, name); granted != 0 {
		return nil
	}
	if slices.ContainsFunc(f.rules, func(r rule) bool {
		return r.permissions != 0 && f.leads(m, name, r.spelled) != different
	}) {
		return nil
	}
	return ErrNotAllowed
}
