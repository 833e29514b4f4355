package vfs

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// A hidden name does not exist for any call, by any path or link that leads to it.
func TestHiddenNames(t *testing.T) {
	dir := tree(t, ".git/config", "open/.git/config", "open/file", "a.bak", "link -> open/.git",
		"file -> a.bak", "dir/", "full/")
	f := open(t, dir, func(o *Options) { o.Hide = []string{".git", "*.bak"} })
	for _, name := range []string{
		"/.git", "/.git/config", "/open/.git/config", "/a.bak", "/link", "/link/config",
		"/file", "/open/../a.bak",
	} {
		unreachable(t, "stat "+name, second(f.Stat(name)))
		unreachable(t, "open "+name, second(f.Open(name)))
	}
	for _, name := range []string{"/new.bak", "/.git/new", "/link/new"} {
		unreachable(t, "create "+name, upload(f, name, "x", Creation{}))
		unreachable(t, "can create "+name, f.CanCreate(name, Creation{}))
		unreachable(t, "make directory "+name, f.MakeDir(name))
	}
	unreachable(t, "rename to it", f.Rename("/open/file", "/open/x.bak"))
	unreachable(t, "rename it", f.Rename("/a.bak", "/b"))
	unreachable(t, "remove it", f.Remove("/a.bak"))
	unreachable(t, "enter it", f.ChangeDir("/open/.git"))
	is(t, "another file", second(f.Stat("/open/file")), nil)

	want := []string{"dir", "file", "full", "link", "open"}
	if got := names(t, f, "/", NamesOnly); !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
}

// unreachable checks that err is the error for a name that does not exist. For a link, other
// refusals are accepted.
func unreachable(t *testing.T, what string, err error) {
	t.Helper()
	linked := strings.Contains(what, "link") || strings.Contains(what, "/file")
	if !errors.Is(err, fs.ErrNotExist) &&
		!(linked && (errors.Is(err, ErrIsDir) || errors.Is(err, fs.ErrPermission))) {
		t.Errorf("%s: %v", what, err)
	}
}

func TestHiddenMount(t *testing.T) {
	dir := tree(t, "other/file", "home/")
	f := open(t, dir+"/home", mountAt("/.m", dir+"/other"), mountAt("/m", dir+"/other"),
		func(o *Options) { o.Hide = []string{".*"} })
	unreachable(t, "the mount", second(f.Stat("/.m/x")))
	is(t, "another mount", second(f.Stat("/m/file")), nil)
	if got := names(t, f, "/", NamesOnly); !slices.Equal(got, []string{"m"}) {
		t.Errorf("listed %v", got)
	}
}
