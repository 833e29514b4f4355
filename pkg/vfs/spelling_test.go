package vfs

import (
	"io/fs"
	"slices"
	"testing"

	"ftpd/pkg/config"
)

// On a file system that compares names by bytes, a rule, a mount and files.hide hold for their own
// spelling only, for existing entries and for new ones.
func TestNamesAreBytes(t *testing.T) {
	shared := tree(t, "news")
	dir := tree(t, "private/secret", "PRIVATE/open", "Private./open", "PRIVAT~1/open",
		"SHARED/file", "A.KEY", "a.key", "B~1.key", "C~1.TXT", "empty/")
	if swapped := open(t, dir); second(swapped.Stat("/A.kEY")) == nil {
		t.Skip("needs a file system that does not ignore case")
	}
	f := open(t, dir, mountAt("/shared", shared),
		permissions(config.Full, config.Rule{Path: "/private"}, config.Rule{Path: "/absent"}),
		func(o *Options) { o.Hide = []string{"*.key"} })
	is(t, "the rule", second(f.Stat("/private/secret")), ErrNotAllowed)
	for _, name := range []string{
		"/PRIVATE/open", "/Private./open", "/PRIVAT~1/open", "/SHARED/file", "/A.KEY",
		"/C~1.TXT",
	} {
		is(t, "stat "+name, second(f.Stat(name)), nil)
		is(t, "overwrite "+name, upload(f, name, "x", Creation{}), nil)
	}
	for _, name := range []string{"/a.key", "/B~1.key"} {
		is(t, "hidden "+name, second(f.Stat(name)), fs.ErrNotExist)
	}
	for _, name := range []string{"/PRIVATE/new", "/ABSENT", "/NEW.KEY", "/D~1.TXT"} {
		is(t, "make "+name, upload(f, name, "x", Creation{}), nil)
	}
	is(t, "rename", f.Rename("/ABSENT", "/Absent"), nil)
	is(t, "make a directory", f.MakeDir("/Shared"), nil)
	want := []string{
		"A.KEY", "Absent", "C~1.TXT", "D~1.TXT", "NEW.KEY", "PRIVATE", "PRIVAT~1", "Private.",
		"SHARED", "Shared", "empty", "private", "shared",
	}
	if got := names(t, f, "/", NamesOnly); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}
