package vfs

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Permissions and mounts hold for places, which have no links. So a rule whose path is a symlink, or
// lies below one, would hold for nothing. When a view is opened, links in the paths of rules and
// mounts are followed, and the rule holds for the place as well; a mount hides the place.

// maxLinks bounds the links in a path, as the kernel does.
const maxLinks = 40

// followLinks adds the places that the paths of rules and mounts lead to.
func (f *FS) followLinks() error {
	for _, m := range f.mounts {
		if m.path == "/" {
			continue
		}
		place, err := f.placeOf(f.mountOf(path.Dir(m.path)), m.path)
		if err != nil {
			return fmt.Errorf("follow the path of the mount %q: %w", m.path, err)
		}
		m.place = place
	}
	for _, r := range slices.Clone(f.rules) {
		place, err := f.placeOf(f.mountOf(r.path), r.path)
		if err != nil {
			return fmt.Errorf("follow the path of the rule %q: %w", r.path, err)
		}
		if place.path != r.path {
			f.addRule(rule{place, r.permissions})
		}
	}
	return nil
}

// addRule adds a rule. If another one has the same path, only what both permit is permitted there.
func (f *FS) addRule(added rule) {
	i := slices.IndexFunc(f.rules, func(r rule) bool { return r.path == added.path })
	if i >= 0 {
		f.rules[i].permissions &= added.permissions
		return
	}
	f.rules = append(f.rules, added)
	slices.SortStableFunc(f.rules, func(a, b rule) int { return len(b.path) - len(a.path) })
}

// placeOf returns the place of a path in m, as an FTP path.
func (f *FS) placeOf(m *mount, name string) (spelled, error) {
	rel, err := m.root.follow(m.below(name))
	return m.viewPath(rel), kind(err)
}

// follow follows the links in a path, as far as it exists and the user may look it up.
func (r *root) follow(rel string) (string, error) {
	at := "."
	for links := 0; rel != ""; {
		var name string
		name, rel, _ = strings.Cut(rel, "/")
		next := path.Join("/", at, name)[1:]
		if next == "" || len(next) <= len(at) && at != "." { // of "..", or of no name
			at = path.Clean(next)
			continue
		}
		e, _, err := r.stat(next, false, false)
		switch {
		case gone(err), kind(err) == fs.ErrPermission, links == maxLinks:
			return path.Join("/", next, rel)[1:], nil
		case err != nil:
			return "", err
		case e.Mode&fs.ModeSymlink == 0:
			at = next
			continue
		}
		links++
		rel = e.Target + "/" + rel
		if path.IsAbs(e.Target) {
			at = "."
		}
	}
	return at, nil
}
