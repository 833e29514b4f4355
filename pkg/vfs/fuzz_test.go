package vfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ftpd/pkg/config"
)

// Whatever a name and a link say, a call returns, and finds nothing but what lies in the home.
func FuzzResolve(f *testing.F) {
	for _, seed := range [][2]string{
		{"/a/b", "b"}, {"/link/x", "/"}, {"/link", "../../../../etc/passwd"}, {"/link/../secret", "dir"}, {"//./a/..//link", "link"}, {"/\xff\x00", ""},
		{"/dir/up/link/file", ".."}, {"/secret/file", "secret"}, {"/link/file", "./secret/."}, {"/mount/../link", "mount"}, {"/link/outside", "/../.."},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(resolves)
}

// Names and links made of what matters: the fuzzer needs long to find these.
func TestRandomNames(t *testing.T) {
	parts := []string{"..", "..", ".", "link", "link", "dir", "up", "secret", "mount", "file", "outside", "home", ""}
	random := rand.New(rand.NewPCG(1, 2))
	join := func() string {
		var all []string
		for range 1 + random.IntN(5) {
			all = append(all, parts[random.IntN(len(parts))])
		}
		return strings.Join(all, "/")
	}
	for range 300 {
		name, target := "/"+join(), join()
		if random.IntN(2) == 0 {
			target = "/" + target
		}
		t.Run(name+" with link to "+target, func(t *testing.T) { resolves(t, name, target) })
	}
}

func resolves(t *testing.T, name, target string) {
	if runtime.GOOS == "windows" {
		t.Skip("the tree needs links")
	}
	parent := t.TempDir()
	home := filepath.Join(parent, "home")
	write := func(name, text string) {
		full := filepath.Join(parent, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o777), os.WriteFile(full, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	write("outside", "outside")
	write("home/dir/file", "inside")
	write("home/secret/file", "secret")
	if target != "" && len(target) < 1000 && !strings.Contains(target, "\x00") {
		_ = os.Symlink(target, filepath.Join(home, "link"))
		_ = os.Symlink("../link", filepath.Join(home, "dir/up"))
	}
	view, err := Open(Options{
		Mounts: []config.Mount{{Path: "/", Directory: home}, {Path: "/mount", Directory: filepath.Join(home, "dir")}},
		Rights: config.NewRights(config.Full, []config.Rule{{Path: "/secret", Permissions: config.Write}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = view.Close() }()
	if text, err := read(view, name); err == nil && text != "inside" {
		t.Errorf("%q read %q", name, text)
	}
	for _, err := range []error{second(view.Stat(name)), second(view.Lstat(name)), view.ChangeDir(name), listed(view, name), view.Rename(name, "/dir/new"),
		view.MakeDir(name), upload(view, name, "inside", Creation{Append: true}), view.Remove(name), view.RemoveDir(name)} {
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	}
	if got := content(t, parent, "outside"); got != "outside" {
		t.Errorf("outside holds %q", got)
	}
	if entries, err := os.ReadDir(parent); len(entries) != 2 || err != nil {
		t.Errorf("beside the home: %v, %v", entries, err)
	}
	if got, err := os.ReadFile(filepath.Join(home, "secret/file")); string(got) != "secret" || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("secret/file holds %q, %v", got, err)
	}
}

func listed(f *FS, name string) error {
	d, err := f.OpenDir(name, Targets)
	if err != nil {
		return err
	}
	_, err = d.Next()
	return errors.Join(err, d.Close())
}
