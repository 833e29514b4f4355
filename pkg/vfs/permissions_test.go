package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ftpd/pkg/config"
)

// calls are all operations of a client, on a tree with "file", "dir/" and "full/file" below base,
// with the permissions that each needs.
var calls = []struct {
	name string
	need config.Permissions
	call func(f *FS, base string) error
}{
	{"STAT", config.List, func(f *FS, base string) error { return second(f.Stat(base + "/file")) }},
	{"lstat", config.List, func(f *FS, base string) error {
		return second(f.Lstat(base + "/file"))
	}},
	{"LIST", config.List, func(f *FS, base string) error {
		d, err := f.OpenDir(base+"/dir", Links)
		if err == nil {
			err = d.Close()
		}
		return err
	}},
	{"RETR", config.Read, func(f *FS, base string) error { return second(read(f, base+"/file")) }},
	{"STOR new", config.Write, func(f *FS, base string) error {
		return upload(f, base+"/new", "x", Creation{})
	}},
	{"APPE new", config.Write | config.Append, func(f *FS, base string) error {
		return upload(f, base+"/new", "x", Creation{Append: true})
	}},
	{"STOR", config.Overwrite, func(f *FS, base string) error {
		return upload(f, base+"/file", "x", Creation{})
	}},
	{"REST 1, STOR", config.Overwrite, func(f *FS, base string) error {
		return upload(f, base+"/file", "x", Creation{Offset: 1})
	}},
	{"REST at the end, STOR", config.Append, func(f *FS, base string) error {
		at, err := f.locate(base + "/file")
		if err != nil {
			return err
		}
		e, err := os.Stat(filepath.Join(at.Directory, at.Rel))
		if err != nil {
			return err
		}
		return upload(f, base+"/file", "x", Creation{Offset: e.Size()})
	}},
	{"APPE", config.Append, func(f *FS, base string) error {
		return upload(f, base+"/file", "x", Creation{Append: true})
	}},
	{"DELE", config.Delete, func(f *FS, base string) error { return f.Remove(base + "/file") }},
	{"RMD", config.Delete, func(f *FS, base string) error { return f.RemoveDir(base + "/dir") }},
	{"RNFR", config.Rename, func(f *FS, base string) error { return f.MayRename(base + "/file") }},
	{"RNTO new", config.Rename, func(f *FS, base string) error {
		return f.Rename(base+"/file", base+"/new")
	}},
	{"RNTO", config.Rename | config.Overwrite, func(f *FS, base string) error {
		return f.Rename(base+"/file", base+"/full/file")
	}},
	{"STOU", config.Write, func(f *FS, base string) error {
		name, err := f.Unique(base + "/unique")
		if err != nil {
			return err
		}
		return upload(f, name, "x", Creation{New: true})
	}},
	{"SITE CHMOD", config.Chmod, func(f *FS, base string) error {
		return second(f.Chmod(base+"/file", 0o600))
	}},
	{"SITE CHGRP", config.Chmod, func(f *FS, base string) error {
		return f.MayChgrp(base + "/file")
	}},
	{"MFMT", config.Touch, func(f *FS, base string) error {
		return second(f.SetTimes(base+"/file", time.Unix(1, 0)))
	}},
	{"MKD", config.Mkdir, func(f *FS, base string) error { return f.MakeDir(base + "/new") }},
}

var words = []config.Permissions{config.List, config.Read, config.Write, config.Overwrite,
	config.Append, config.Delete, config.Rename, config.Mkdir,
	config.Chmod, config.Touch}

// Each call works with exactly the permissions that it needs. Without one of them it fails and
// leaves the tree unchanged, whether the permission is missing in the whole tree or because of a
// rule.
func TestPermissions(t *testing.T) {
	for _, c := range calls {
		sets := map[config.Permissions]bool{c.need: true, config.Full: true, 0: false}
		for _, word := range words {
			if c.need.Has(word) {
				sets[config.Full&^word] = false
			}
		}
		for set, allowed := range sets {
			for where, with := range map[string]func(*Options){
				"tree": permissions(set),
				"rule": permissions(config.Full, config.Rule{Path: "/base", Permissions: set}),
			} {
				dir := tree(t, "base/file", "base/dir/", "base/full/file")
				before := snapshot(t, dir)
				err := c.call(open(t, dir, with), "/base")
				if allowed && err != nil {
					t.Errorf("%s with %v in the %s: %v", c.name, set, where, err)
				}
				if !allowed && !errors.Is(err, ErrNotAllowed) &&
					!(set&config.Rename != 0 && errors.Is(err, fs.ErrExist)) {
					t.Errorf("%s with %v in the %s: %v, want %v",
						c.name, set, where, err, ErrNotAllowed)
				}
				if after := snapshot(t, dir); !allowed && !slices.Equal(before, after) {
					t.Errorf("%s with %v in the %s changed %v to %v",
						c.name, set, where, before, after)
				}
			}
		}
	}
}

// snapshot returns a text that describes a tree.
func snapshot(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		text := ""
		if err == nil && e.Type().IsRegular() {
			text = content(t, name)
			info, failed := e.Info()
			if err = failed; err == nil {
				text += info.Mode().String() + info.ModTime().String()
			}
		}
		all = append(all, fmt.Sprintf("%s %s %q", name, e.Type(), text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A user without permissions in a directory does not learn from errors what exists there.
func TestNoWordNoOracle(t *testing.T) {
	dir := tree(t, "drop/file", "drop/dir/")
	for _, with := range []func(*Options){
		permissions(0), permissions(config.Full, config.Rule{Path: "/drop"}),
	} {
		f := open(t, dir, with)
		for _, name := range []string{
			"/drop/file", "/drop/none", "/drop/dir", "/drop/none/none", "/drop/file/none",
		} {
			for call, err := range map[string]error{
				"stat": second(f.Stat(name)), "list": second(f.OpenDir(name, Links)),
				"open": second(f.Open(name)), "mkdir": f.MakeDir(name),
				"remove": f.Remove(name), "rmdir": f.RemoveDir(name),
				"rename": f.Rename(name, "/x"), "may rename": f.MayRename(name),
				"create": second(f.Create(name, Creation{})),
				"chmod":  second(f.Chmod(name, 0o600)),
				"touch":  second(f.SetTimes(name, time.Unix(1, 0))),
				"unique": second(f.Unique(name)),
			} {
				if !errors.Is(err, ErrNotAllowed) {
					t.Errorf("%s %s: %v, want %v", call, name, err, ErrNotAllowed)
				}
			}
		}
	}
}

func TestEntering(t *testing.T) {
	f := open(t, tree(t, "none/x/", "way/in/drop/deeper/", "way/other/"),
		permissions(0, config.Rule{Path: "/way/in/drop", Permissions: config.DropBox}))
	for name, want := range map[string]error{
		"/": nil, "/way": nil, "/way/in": nil, "/way/in/drop": nil, "/way/in/drop/deeper": nil,
		"/none": ErrNotAllowed, "/none/x": ErrNotAllowed, "/way/other": ErrNotAllowed,
	} {
		is(t, name, f.ChangeDir(name), want)
	}
	nothing := open(t, tree(t, "a/"), permissions(0))
	is(t, "nothing is permitted anywhere", nothing.ChangeDir("/"), ErrNotAllowed)
}

// The rule with the longest path applies.
func TestRulesInsideRules(t *testing.T) {
	f := open(t, tree(t, "a/b/c/file", "a/b/file", "a/file"), permissions(0,
		config.Rule{Path: "/a", Permissions: config.ReadOnly}, config.Rule{Path: "/a/b"},
		config.Rule{Path: "/a/b/c", Permissions: config.Full}))
	is(t, "outer", second(read(f, "/a/file")), nil)
	is(t, "middle", second(read(f, "/a/b/file")), ErrNotAllowed)
	is(t, "inner", second(read(f, "/a/b/c/file")), nil)
	is(t, "inner", f.Rename("/a/b/c/file", "/a/b/c/moved"), nil)
	is(t, "out of the inner", f.Rename("/a/b/c/moved", "/a/b/moved"), ErrNotAllowed)
	is(t, "a directory with rules inside", f.Rename("/a/b/c", "/a/b/c2"), ErrNotAllowed)
}

// A rule whose path is a link, or lies below one, holds for what the link leads to. Where two rules
// meet at one place, what both permit is permitted.
func TestRulesOfLinks(t *testing.T) {
	dir := tree(t, "data/pub/file", "data/pub/in/file", "data/both/file", "data/file",
		"pub -> data/pub", "absolute -> /data/pub", "twice -> up/../pub", "up/x",
		"later -> data/later", "both -> data/both", "round -> round")
	for _, test := range []struct {
		rule  string
		names []string
	}{
		{"/pub", []string{"/pub", "/data/pub", "/absolute", "/data/pub/in"}},
		{"/absolute", []string{"/pub", "/data/pub", "/absolute"}},
		{"/twice", []string{"/pub", "/data/pub"}},
		{"/pub/in", []string{"/pub/in", "/data/pub/in"}},
		{"/data/pub/in", []string{"/pub/in", "/data/pub/in"}},
	} {
		f := open(t, dir, permissions(config.Full, config.Rule{Path: test.rule}))
		for _, name := range test.names {
			if _, err := read(f, name+"/file"); err == nil { // os.Root refuses links in any case
				t.Errorf("the rule for %s does not hold for %s", test.rule, name)
			}
		}
		is(t, "elsewhere", second(read(f, "/data/file")), nil)
		is(t, "the directory", f.Rename("/data/pub", "/data/moved"), ErrNotAllowed)
	}
	f := open(t, dir, permissions(config.Full, config.Rule{Path: "/later"},
		config.Rule{Path: "/round"}, config.Rule{Path: "/both", Permissions: config.ReadOnly},
		config.Rule{Path: "/data/both", Permissions: config.DropBox}))
	is(t, "a target that is made later", f.MakeDir("/data/later"), ErrNotAllowed)
	is(t, "two rules", second(read(f, "/data/both/file")), ErrNotAllowed)
}

func TestADirectoryWithRulesStays(t *testing.T) {
	dir := tree(t, "a/secret/file", "link -> .")
	f := open(t, dir,
		permissions(config.Full, config.Rule{Path: "/a/secret", Permissions: config.List}))
	is(t, "renamed above the rule", f.Rename("/a", "/b"), ErrNotAllowed)
	if f.Rename("/link/a", "/b") == nil {
		t.Error("renamed through a link")
	}
	is(t, "the file", second(read(f, "/a/secret/file")), ErrNotAllowed)
	is(t, "elsewhere", f.MakeDir("/a/c"), nil)
	is(t, "elsewhere", f.Rename("/a/c", "/d"), nil)
}

// No existing entry is replaced without the permission "overwrite".
func TestRenameWithoutOverwrite(t *testing.T) {
	dir := tree(t, "from", "file", "link -> nowhere", "dir/", "empty/")
	f := open(t, dir, permissions(config.Full&^config.Overwrite))
	for _, to := range []string{"/file", "/link", "/dir"} {
		is(t, to, f.Rename("/from", to), fs.ErrExist)
	}
	is(t, "an empty directory", f.Rename("/dir", "/empty"), fs.ErrExist)
	is(t, "to itself", f.Rename("/from", "/from"), fs.ErrExist)
	is(t, "a new name", f.Rename("/from", "/new"), nil)
	if got := content(t, dir, "file"); got != "file" {
		t.Errorf("the file holds %q", got)
	}
	is(t, "with overwrite", open(t, dir).Rename("/new", "/file"), nil)
	if got := content(t, dir, "file"); got != "from" {
		t.Errorf("the file holds %q", got)
	}
}
