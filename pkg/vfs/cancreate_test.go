package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ftpd/pkg/config"
)

// CanCreate returns the same error as Create and changes nothing.
func TestCanCreate(t *testing.T) {
	for _, test := range []struct {
		name    string
		c       Creation
		allowed config.Permissions
		want    error
	}{
		{"/new", Creation{}, config.Full, nil},
		{"/new", Creation{Append: true}, config.Full, nil},
		{"/new", Creation{}, config.ReadOnly, ErrNotAllowed},
		{"/new", Creation{Append: true}, config.Write, ErrNotAllowed},
		{"/new", Creation{Offset: 1}, config.Full, fs.ErrNotExist},
		{"/old", Creation{}, config.Full, nil},
		{"/old", Creation{}, config.DropBox, ErrNotAllowed},
		{"/old", Creation{Offset: 4}, config.Append, nil},
		{"/old", Creation{Offset: 5}, config.Full, ErrOffset},
		{"/missing/new", Creation{}, config.Full, fs.ErrNotExist},
		{"/missing/new", Creation{}, config.ReadOnly, ErrNotAllowed},
		{"/old/new", Creation{}, config.Full, ErrNotDir},
		{"/sub", Creation{}, config.Full, ErrIsDir},
		{"/", Creation{}, config.Full, ErrIsDir},
	} {
		home := t.TempDir()
		old := filepath.Join(home, "old")
		if err := errors.Join(os.WriteFile(old, []byte("text"), 0o600),
			os.Mkdir(filepath.Join(home, "sub"), 0o700)); err != nil {
			t.Fatal(err)
		}
		view, err := Open(Options{
			Mounts: []config.Mount{{Path: "/", Directory: home}},
			Rights: config.Rights{Base: test.allowed},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := view.CanCreate(test.name, test.c); !errors.Is(err, test.want) {
			t.Errorf("%s %+v with %v: %v, not %v", test.name, test.c, test.allowed, err, test.want)
		}
		if text, err := os.ReadFile(old); string(text) != "text" || err != nil {
			t.Errorf("%s %+v: the old file holds %q, %v", test.name, test.c, text, err)
		}
		if _, err := os.Lstat(filepath.Join(home, "new")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s %+v: a file was made", test.name, test.c)
		}
		if up, err := view.Create(test.name, test.c); !errors.Is(err, test.want) {
			t.Errorf("%s %+v with %v: Create returned %v", test.name, test.c, test.allowed, err)
		} else if err == nil {
			up.Abort()
		}
		view.Close()
	}
}
