package vfs

import (
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
	directory string // of the host
	root      *root
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
	rel := strings.TrimPrefix(strings.TrimPrefix(name, m.path), "/")
	if rel == "" {
		rel = "."
	}
	return location{mount: m, name: name, rel: rel}, nil
}

// mountOf finds the mount of a cleaned FTP path. There is always one: the home's path is "/".
func (f *FS) mountOf(name string) *mount {
	i := slices.IndexFunc(f.mounts, func(m *mount) bool { return config.Within(name, m.path) })
	return f.mounts[i]
}

// holdsMount reports whether a cleaned FTP path is a mount or lies above one.
func (f *FS) holdsMount(name string) bool {
	return slices.ContainsFunc(f.mounts, func(m *mount) bool { return config.Within(m.path, name) })
}

// ruled reports whether a rule or a mount is at a cleaned FTP path or below.
func (f *FS) ruled(name string) bool {
	return f.holdsMount(name) || slices.ContainsFunc(f.rights.Rules, func(r config.Rule) bool { return config.Within(r.Path, name) })
}

// permit asks for what the user needs at a resolved place of a mount. Where a link led to what another mount hides, there is nothing.
func (f *FS) permit(m *mount, place string, want config.Permissions) error {
	name := path.Join(m.path, place)
	if f.mountOf(name) != m {
		return errHidden
	}
	if f.hide.path(place) {
		return errHiddenName
	}
	return f.allow(name, want)
}

// allow asks the rights for want at a cleaned FTP path.
func (f *FS) allow(name string, want config.Permissions) error {
	if !f.rights.At(name).Has(want) {
		return ErrNotAllowed
	}
	return nil
}

// enterable asks whether anything is permitted at a resolved place of a mount, or below.
func (f *FS) enterable(m *mount, place string) error {
	if err := f.permit(m, place, 0); err != nil {
		return err
	}
	name := path.Join(m.path, place)
	if f.rights.At(name) != 0 {
		return nil
	}
	if slices.ContainsFunc(f.rights.Rules, func(r config.Rule) bool { return r.Permissions != 0 && config.Within(r.Path, name) }) {
		return nil
	}
	return ErrNotAllowed
}
