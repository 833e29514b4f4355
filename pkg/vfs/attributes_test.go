package vfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"ftpd/pkg/config"
)

func modeOf(t *testing.T, elem ...string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// Chmod never gives a file the setuid, setgid or sticky bit, and removes one that it has. A
// directory keeps its bits, as with chmod(1).
func TestChmod(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are no modes there")
	}
	for _, test := range []struct {
		name   string
		before fs.FileMode
		mode   uint32
		want   fs.FileMode
		err    error
	}{
		{"/file", 0o644, 0o640, 0o640, nil},
		{"/file", 0o644, 0, 0, nil},
		{"/link", 0o644, 0o777, 0o777, nil},
		{"/file", 0o644, 0o4755, 0o644, ErrMode},
		{"/file", 0o644, 0o2755, 0o644, ErrMode},
		{"/file", 0o644, 0o1755, 0o644, ErrMode},
		{"/file", fs.ModeSetuid | 0o755, 0o755, 0o755, nil},
		{"/dir", 0o755, 0o700, fs.ModeDir | 0o700, nil},
		{"/dir", 0o755, 0o3770, fs.ModeDir | fs.ModeSetgid | fs.ModeSticky | 0o770, nil},
		{"/dir", fs.ModeSetgid | 0o755, 0o700, fs.ModeDir | fs.ModeSetgid | 0o700, nil},
		{"/none", 0o644, 0o600, 0o644, fs.ErrNotExist},
		{"/nowhere", 0o644, 0o600, 0o644, fs.ErrNotExist},
		{"/out", 0o644, 0o600, 0o644, nil},
	} {
		dir := tree(t, "file", "link -> file", "dir/", "nowhere -> gone", "out -> /file")
		looked := "file"
		if test.name == "/dir" {
			looked = "dir"
		}
		if err := os.Chmod(filepath.Join(dir, looked), test.before); err != nil {
			t.Fatal(err)
		}
		err := second(open(t, dir).Chmod(test.name, test.mode))
		if test.name == "/out" { // the link leads to a place below the root, or is refused
			continue
		}
		is(t, test.name, err, test.err)
		if got := modeOf(t, dir, looked); got != test.want {
			t.Errorf("%s %o: the mode %v became %v, want %v",
				test.name, test.mode, test.before, got, test.want)
		}
	}
}

func TestSetTimes(t *testing.T) {
	dir := tree(t, "file", "link -> file", "dir/", "nowhere -> gone")
	f := open(t, dir)
	for _, at := range []time.Time{
		time.Unix(1_000_000_000, 0), time.Date(1999, 1, 2, 3, 4, 5, 0, time.UTC),
		time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		for _, name := range []string{"/file", "/link"} {
			is(t, name, second(f.SetTimes(name, at)), nil)
			if e, err := f.Stat("/file"); err != nil || !e.ModTime.Equal(at) {
				t.Errorf("%s: %v, %v, want %v", name, e.ModTime, err, at)
			}
		}
	}
	is(t, "a directory", second(f.SetTimes("/dir", time.Unix(0, 0))), ErrNotRegular)
	is(t, "nothing", second(f.SetTimes("/none", time.Unix(0, 0))), fs.ErrNotExist)
	is(t, "a link to nothing", second(f.SetTimes("/nowhere", time.Unix(0, 0))), fs.ErrNotExist)
}

func TestChgrp(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no such groups there")
	}
	dir := tree(t, "file", "link -> file", "dir/", "nowhere -> gone")
	gid := uint32(os.Getgid())
	if os.Getuid() == 0 {
		gid = 61003
	}
	f := open(t, dir)
	for _, name := range []string{"/link", "/dir"} {
		is(t, name, f.MayChgrp(name), nil)
		is(t, name, second(f.Chgrp(name, gid)), nil)
	}
	for _, name := range []string{"/file", "/dir"} {
		if e, err := f.Stat(name); err != nil || e.GID != gid || e.UID != uint32(os.Getuid()) {
			t.Errorf("%s is %d:%d, %v", name, e.UID, e.GID, err)
		}
	}
	for _, name := range []string{"/none", "/nowhere"} {
		is(t, name, second(f.Chgrp(name, gid)), fs.ErrNotExist)
		is(t, name, f.MayChgrp(name), fs.ErrNotExist)
	}
}

// Rules and mounts hold for the target of a link.
func TestAttributesThroughLinks(t *testing.T) {
	dir := tree(t, "closed/file", "link -> closed/file")
	f := open(t, dir,
		permissions(config.Full, config.Rule{Path: "/closed", Permissions: config.ReadOnly}))
	for _, err := range []error{second(f.Chmod("/link", 0o600)),
		second(f.SetTimes("/link", time.Unix(0, 0))), second(f.Chmod("/closed/file", 0o600)),
		second(f.Chgrp("/link", uint32(os.Getgid()))), f.MayChgrp("/link")} {
		if err == nil {
			t.Error("changed")
		}
	}
	if got := modeOf(t, dir, "closed/file"); got != 0o666 && runtime.GOOS != "windows" {
		t.Errorf("the mode is %v", got)
	}
}

func TestUnique(t *testing.T) {
	dir := tree(t, "a.1", "a.2", "a.3")
	f := open(t, dir)
	suffixes := []string{"1", "2", "3", "4"}
	f.suffix = func() string {
		s := suffixes[0]
		suffixes = suffixes[1:]
		return s
	}
	name, err := f.Unique("/a")
	if name != "/a.4" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	is(t, "one more that is not there", f.CanCreate(name, Creation{New: true}), nil)
	is(t, "upload", upload(f, name, "x", Creation{New: true}), nil)
	is(t, "upload again", second(f.Create(name, Creation{New: true})), fs.ErrExist)
	is(t, "upload again", f.CanCreate(name, Creation{New: true}), fs.ErrExist)
	if got := content(t, dir, "a.4"); got != "x" {
		t.Errorf("the file holds %q", got)
	}
	tries := 0
	f.suffix = func() string { tries++; return "1" }
	if name, err := f.Unique("/a"); name != "" || tries != uniqueTries {
		t.Errorf("%q, %v after %d tries", name, err, tries)
	}
	is(t, "all are taken", second(f.Unique("/a")), fs.ErrExist)
	is(t, "no directory", second(f.Unique("/none/a")), fs.ErrNotExist)
	is(t, "the root", second(f.Unique("/")), fs.ErrPermission)
	if a, b := randomSuffix(), randomSuffix(); len(a) != 6 || a == b {
		t.Error(a, b)
	}
}
