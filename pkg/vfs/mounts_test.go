package vfs

import (
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"ftpd/pkg/config"
)

func TestMounts(t *testing.T) {
	home := tree(t, "file", "shared/hidden", "dir/x", "into -> shared", "absolute -> /shared",
		"around -> /")
	shared := tree(t, "common", "sub/y", "up -> ../../file", "root -> /common")
	deep := tree(t, "z")
	f := open(t, home, mountAt("/shared", shared), mountAt("/dir/deep", deep),
		mountAt("/lost/deep", deep),
		permissions(config.Full, config.Rule{Path: "/shared", Permissions: config.ReadOnly}))

	for dir, want := range map[string][]string{
		"/":       {"absolute", "around", "dir", "file", "into", "shared"},
		"/dir":    {"deep", "x"},
		"/shared": {"common", "root", "sub", "up"},
	} {
		if got := names(t, f, dir, Links); !slices.Equal(got, want) {
			t.Errorf("%s lists %q, want %q", dir, got, want)
		}
	}
	is(t, "enter a mount", f.ChangeDir("/shared/sub"), nil)
	is(t, "a mount without a parent", f.ChangeDir("/lost/deep"), nil)
	is(t, "the parent that is not there", f.ChangeDir("/lost"), fs.ErrNotExist)
	if got, err := read(f, "/shared/common"); got != "common" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if e, err := f.Stat("/shared"); err != nil || e.Name != "shared" || !e.Mode.IsDir() {
		t.Errorf("stat of the mount: %+v, %v", e, err)
	}
	is(t, "the mount's own permissions", upload(f, "/shared/new", "x", Creation{}), ErrNotAllowed)
	is(t, "another mount's", upload(f, "/dir/deep/new", "x", Creation{}), nil)

	for _, err := range []error{f.RemoveDir("/dir/deep"), f.Rename("/dir/deep", "/x"),
		f.Rename("/file", "/dir/deep"), f.Rename("/dir", "/x"), f.RemoveDir("/dir"),
		f.MayRename("/dir/deep"), f.MayRename("/dir"), f.MayRename("/")} {
		is(t, "a mount, or above one", err, fs.ErrPermission)
	}
	is(t, "make a mount", f.MakeDir("/dir/deep"), fs.ErrExist)
	is(t, "write a mount", second(f.Create("/dir/deep", Creation{})), ErrIsDir)
	is(t, "a file beside", f.MayRename("/file"), nil)
	is(t, "no file", f.MayRename("/none"), fs.ErrNotExist)
	is(t, "across mounts", f.Rename("/file", "/dir/deep/file"), ErrCrossMount)
	is(t, "out of a mount", f.Rename("/dir/deep/z", "/z"), ErrCrossMount)
	if got := content(t, home, "file"); got != "file" {
		t.Errorf("the file holds %q", got)
	}
}

// What a mount hides is hidden under each name that leads to it.
func TestAMountBelowALink(t *testing.T) {
	f := open(t, tree(t, "data/m/hidden", "data/file", "link -> data"),
		mountAt("/link/m", tree(t, "common")))
	is(t, "the mount", second(read(f, "/link/m/common")), nil)
	is(t, "beside it", second(read(f, "/data/file")), nil)
	for _, name := range []string{"/data/m/hidden", "/link/m/hidden", "/data/m"} {
		if _, err := f.Stat(name); err == nil {
			t.Errorf("%s leads somewhere", name)
		}
	}
}

// A link leads neither into a mount nor to an entry that the mount hides.
func TestLinksAndMounts(t *testing.T) {
	home := tree(t, "file", "shared/hidden", "into -> shared", "absolute -> /shared", "around -> .")
	f := open(t, home, mountAt("/shared", tree(t, "common", "up -> ../file")))
	for _, name := range []string{
		"/into/common", "/into/hidden", "/absolute/hidden", "/absolute/common",
		"/around/shared/hidden", "/around/shared", "/into", "/shared/up",
	} {
		if _, err := f.Stat(name); err == nil {
			t.Errorf("%s leads somewhere", name)
		}
		if got, err := read(f, name); err == nil {
			t.Errorf("%s leads to %q", name, got)
		}
	}
	for _, name := range []string{"/into/new", "/around/shared/new", "/absolute/new"} {
		if f.MakeDir(name) == nil || upload(f, name, "x", Creation{}) == nil {
			t.Errorf("%s was made", name)
		}
	}
	if got := snapshot(t, filepath.Join(home, "shared")); len(got) != 2 {
		t.Errorf("below the hidden directory: %q", got)
	}
	for _, e := range list(t, f, "/", Targets) {
		if e.Name == "into" && e.Mode&fs.ModeSymlink == 0 {
			t.Errorf("listed as %+v", e)
		}
	}
}
