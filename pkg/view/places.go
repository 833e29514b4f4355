package view

import (
	"fmt"
	"io/fs"
	"slices"

	"ftpd/pkg/config"
)

var errHidden = fmt.Errorf("hidden by a mount: %w", fs.ErrNotExist)

// A rule holds the permissions at a path and below it.
type rule struct {
	spelled
	permissions config.Permissions
}

// HoldsMount reports whether the name is a mount or lies above one.
func (l Location) HoldsMount() bool { return l.holdsMount(spell(l.Name)) }

func (m *Mount) holdsMount(name spelled) bool {
	return slices.ContainsFunc(m.view.mounts, func(o *Mount) bool {
		return m.leads(name, o.spelled) != Different
	})
}

// Ruled reports whether a rule or a mount exists at a place or below it.
func (m *Mount) Ruled(place string) bool {
	name := m.viewPath(place)
	return m.holdsMount(name) ||
		slices.ContainsFunc(m.view.rules, func(r rule) bool {
			return m.leads(name, r.spelled) != Different
		})
}

// Granted returns the permissions at a place.
func (m *Mount) Granted(place string) config.Permissions {
	granted, _ := m.permissions(m.viewPath(place))
	return granted
}

// Permit checks that a place is visible and that the user has the permission want there.
func (m *Mount) Permit(place string, want config.Permissions) error {
	name := m.viewPath(place)
	if err := m.shown(name); err != nil {
		return err
	}
	return m.allow(name, want)
}

// Shown returns nil if the name is visible in the view, before its links are followed.
func (l Location) Shown() error { return l.shown(spell(l.Name)) }

// shown returns nil if a place of m is visible. A place that a link leads to is not visible if
// another mount hides it.
func (m *Mount) shown(name spelled) error {
	for _, other := range m.view.mounts {
		if other == m {
			break // m contains all the mounts that follow
		}
		if m.covers(name, other.spelled) != Different || m.covers(name, other.place) != Different {
			return errHidden
		}
	}
	if place := m.below(name.path); m.view.hide.path(place) || m.hides(place) {
		return errHiddenName
	}
	return nil
}

// Allow checks that the user has the permission want at the name, before its links are followed. It
// does not check whether the name is visible.
func (l Location) Allow(want config.Permissions) error { return l.allow(spell(l.Name), want) }

func (m *Mount) allow(name spelled, want config.Permissions) error {
	granted, by := m.permissions(name)
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
func (m *Mount) permissions(name spelled) (granted config.Permissions, by string) {
	granted = config.Full
	for _, r := range m.view.rules {
		like := m.covers(name, r.spelled)
		if like == Different {
			continue
		}
		granted &= r.permissions
		if !config.Within(name.path, r.path) {
			by = r.path
		}
		if like == Same {
			return granted, by
		}
	}
	return granted & m.view.base, by
}

// Enterable checks that any permission is granted at a place or below it.
func (m *Mount) Enterable(place string) error {
	name := m.viewPath(place)
	if err := m.shown(name); err != nil {
		return err
	}
	if granted, _ := m.permissions(name); granted != 0 {
		return nil
	}
	if slices.ContainsFunc(m.view.rules, func(r rule) bool {
		return r.permissions != 0 && m.leads(name, r.spelled) != Different
	}) {
		return nil
	}
	return ErrNotAllowed
}
