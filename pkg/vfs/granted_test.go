package vfs

import (
	"io"
	"path"
	"testing"

	"ftpd/pkg/config"
)

// An entry is granted what the rules permit at its place, by whatever links it was reached. Deleting
// and renaming a link act on the link itself.
func TestGranted(t *testing.T) {
	if osRoot {
		t.Skip("os.Root follows no link where permissions depend on the path")
	}
	const readOnly = config.List | config.Read
	const link = readOnly | config.Delete | config.Rename // in rw, to a place in ro
	dir := tree(t, "ro/f", "rw/f", "rw/dir -> ../ro", "rw/file -> ../ro/f", "ro/back -> ../rw/f")
	other := tree(t, "g")
	f := open(t, dir, mountAt("/rw/mount", other),
		permissions(config.Full, config.Rule{Path: "/ro", Permissions: readOnly},
			config.Rule{Path: "/rw/mount", Permissions: config.List}))
	back := config.Full &^ (config.Delete | config.Rename)
	for name, want := range map[string]config.Permissions{
		"/rw/f": config.Full, "/rw/dir": link, "/rw/file": link, "/ro/f": readOnly,
		"/ro/back": back, "/rw/dir/f": readOnly, "/rw/dir/back": back,
		"/rw/mount": config.List, "/rw/mount/g": config.List,
	} {
		e, err := f.Stat(name)
		is(t, name, err, nil)
		shown, found := entryIn(t, f, path.Dir(name), path.Base(name))
		if !found || e.Granted != want || shown.Granted != want {
			t.Errorf("%s: %v, in a listing %v, want %v",
				name, e.Granted.Words(), shown.Granted.Words(), want.Words())
		}
	}
}

// entryIn returns an entry of a listing.
func entryIn(t *testing.T, f *FS, dir, name string) (e Entry, found bool) {
	t.Helper()
	d, err := f.OpenDir(dir, Targets)
	is(t, "open", err, nil)
	defer d.Close()
	for {
		batch, err := d.Next()
		if err == io.EOF {
			return e, found
		}
		is(t, "next", err, nil)
		for _, one := range batch {
			if one.Name == name {
				e, found = one, true
			}
		}
	}
}
