package vfs

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
)

// With any names and any link, each call returns, and it finds and changes only files in the home.
func FuzzResolve(f *testing.F) {
	for _, seed := range [][3]string{
		{"/a/b", "b", "/c"}, {"/link/x", "/", "/dir/x"}, {"/link", "../../../../etc/passwd", "/x"},
		{"/link/../secret", "dir", "/link/"},
		{"//./a/..//link", "link", "/dir"},
		{"/\xff\x00", "", "/\xff"}, {"/dir/up/link/file", "..", "/link/../x"},
		{"/secret/file", "secret", "/dir/file"},
		{"/link/file", "./secret/.", "/link/other"},
		{"/mount/../link", "mount", "/mount/new"}, {"/link/outside", "/../..", "/link/made"},
		{"/link/file", "../outside", "/../outside/made"}, {"/dir", "dir/file", "/secret/new"},
		{"/mount/file", "/proc/self/cwd", "/link/x"}, {"relative", ".", "relative"},
		{"/link", "outside/file", "/link"},
	} {
		f.Add(seed[0], seed[1], seed[2], true)
		f.Add(seed[0], seed[1], seed[2], false)
	}
	f.Fuzz(resolves)
}

// Names and links are built from the components that matter, which the fuzzer takes long to find.
func TestRandomNames(t *testing.T) {
	parts := []string{
		"..", "..", ".", "link", "link", "dir", "up", "secret", "mount", "file", "outside",
		"home", "",
	}
	random := rand.New(rand.NewPCG(1, 2))
	join := func() string {
		var all []string
		for range 1 + random.IntN(5) {
			all = append(all, parts[random.IntN(len(parts))])
		}
		return strings.Join(all, "/")
	}
	for range 300 {
		name, target, to := "/"+join(), join(), "/"+join()
		if random.IntN(2) == 0 {
			target = "/" + target
		}
		t.Run(name+" and "+to+" with link to "+target, func(t *testing.T) {
			resolves(t, name, target, to, random.IntN(2) == 0)
		})
	}
}

// resolves makes all calls with name and to in a home with a link. With ruled, the view has a
// mount and a directory that the user may not read.
func resolves(t *testing.T, name, target, to string, ruled bool) {
	if runtime.GOOS == "windows" {
		t.Skip("the tree needs links")
	}
	parent := tree(t, "outside/file", "home/dir/file", "home/secret/file")
	home, outside := filepath.Join(parent, "home"), filepath.Join(parent, "outside")
	if target != "" && len(target) < 1000 && !strings.Contains(target, "\x00") {
		_ = os.Symlink(target, filepath.Join(home, "link"))
		_ = os.Symlink("../link", filepath.Join(home, "dir/up"))
	}
	before := snapshot(t, outside)
	view, readable := open(t, home), []string{"home/dir/file", "home/secret/file"}
	if ruled {
		view = open(t, home, mountAt("/mount", filepath.Join(home, "dir")),
			permissions(config.Full, config.Rule{Path: "/secret", Permissions: config.Write}))
		readable = readable[:1]
	}
	for _, name := range []string{name, to} {
		if text, err := read(view, name); err == nil && !slices.Contains(readable, text) {
			t.Errorf("%q read %q", name, text)
		}
		for _, found := range listed(t, view, name) {
			if !slices.Contains([]string{"dir", "file", "secret", "link", "up", "mount"}, found) {
				t.Errorf("%q holds %q", name, found)
			}
		}
	}
	for _, err := range []error{
		second(view.Stat(name)), second(view.Lstat(name)), view.ChangeDir(name),
		view.CanCreate(name, Creation{}), second(view.Chmod(name, 0o600)),
		second(view.SetTimes(name, time.Unix(1, 0))),
		view.Rename(name, to), view.MakeDir(name),
		upload(view, name, "inside", Creation{Append: true}),
		upload(view, to, "inside", Creation{}), unique(view, name), view.MakeDir(to),
		view.Rename(to, name), view.Remove(name), view.Remove(to), view.RemoveDir(name),
		view.RemoveDir(to),
	} {
		if err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	}
	// Without root, the Chmod above may have made them unreadable.
	for _, dir := range []string{"home", "home/dir", "home/secret"} {
		_ = os.Chmod(filepath.Join(parent, dir), 0o700)
	}
	if after := snapshot(t, outside); !slices.Equal(before, after) {
		t.Errorf("outside was %q and is %q", before, after)
	}
	if entries, err := os.ReadDir(parent); len(entries) != 2 || err != nil {
		t.Errorf("beside the home: %v, %v", entries, err)
	}
	if got, err := os.ReadFile(filepath.Join(home, "secret/file")); ruled &&
		string(got) != "home/secret/file" || ruled && err != nil {
		t.Errorf("secret/file holds %q, %v", got, err)
	}
}

// listed returns the names in a directory, read with each detail, and none if it cannot be opened.
func listed(t *testing.T, f *FS, name string) (all []string) {
	t.Helper()
	for detail := range Targets + 1 {
		d, err := f.OpenDir(name, detail)
		if err != nil {
			return nil
		}
		entries, err := d.Next()
		for _, e := range entries {
			all = append(all, e.Name)
		}
		if err = errors.Join(err, d.Close()); err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("list %q: %v", name, err)
		}
	}
	return all
}

func unique(f *FS, prefix string) error {
	name, err := f.Unique(prefix)
	if err != nil {
		return err
	}
	return upload(f, name, "inside", Creation{New: true})
}
