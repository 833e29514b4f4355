package vfs

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

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

// All spellings of a name have the same folded text, and that of a path consists of those of its
// components.
func FuzzFold(f *testing.F) {
	for _, seed := range []string{
		"private", "ünder", "Straße", "ſecret", "İstanbul", "ᾳ", "ﬁle", "a.b. ", "...", "K",
		"\xff", "한글", "a:b", "PRIVAT~1", "ǰ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || strings.ContainsAny(name, "/\x00") || name[0] == ':' ||
			!utf8.ValidString(name) || len(name) > 100 {
			return
		}
		folded := fold(name)
		for _, other := range []string{name, strings.ToUpper(name), strings.ToLower(name),
			swapCase(name), norm.NFC.String(name), norm.NFD.String(name),
			name + ".", name + " ", name + ". .", name + ":", name + "::$DATA"} {
			if fold(other) != folded {
				t.Errorf("%q is folded to %q, %q to %q", name, folded, other, fold(other))
			}
		}
		if name == "." || name == ".." {
			return
		}
		whole := foldPath(path.Join("/Dir", name, "file"))
		if whole != "/dir/"+folded+"/file" || depth(whole) != 3 ||
			head(whole, 2) != "/dir/"+folded || head(whole, 0) != "/" {
			t.Errorf("/Dir/%s/file is folded to %q", name, whole)
		}
	})
}

func TestShortNames(t *testing.T) {
	for name, want := range map[string]bool{"PRIVAT~1": true, "PRIVAT~1.TXT": true,
		"PR1A2B~1.TX": true, "~1": true, "A~12": true, "private": false, "a~b": false,
		"private~1": false, "A~1.html": false, "A~": false, "A~1.": true, ".git~1": false} {
		if short(name) != want {
			t.Errorf("%q: %v, want %v", name, short(name), want)
		}
	}
}
