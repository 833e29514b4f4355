package view

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/config"
	"ftpd/pkg/spelling"
)

// A fakeRoot is a directory without links, in which all names exist. With the value true it ignores
// case.
type fakeRoot bool

func (r fakeRoot) Compare(_, name, other string) Likeness {
	if bool(r) && spelling.Fold(name) == spelling.Fold(other) {
		return Same
	}
	return Different
}

func (r fakeRoot) Folds(string) bool                  { return bool(r) }
func (r fakeRoot) ListsOtherwise(string, string) bool { return false }
func (r fakeRoot) Follow(name string) (string, error) { return name, nil }

// open returns a view with mounts at these paths, the first of which ignores case.
func open(t *testing.T, rights config.Rights, hide []string, paths ...string) *View {
	t.Helper()
	var mounts []*Mount
	for i, p := range paths {
		mounts = append(mounts, &Mount{Path: p, Root: fakeRoot(i == 0)})
	}
	v, err := New(mounts, rights, hide)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Where a directory ignores case, rules, mounts and hidden names hold for each spelling, and
// elsewhere for their own.
func TestOtherSpellings(t *testing.T) {
	v := open(t, config.NewRights(config.Full, []config.Rule{
		{Path: "/private", Permissions: config.List},
		{Path: "/m/private", Permissions: config.List},
	}), []string{"*.key"}, "/", "/m")
	for name, want := range map[string]error{
		"/private": ErrNotAllowed, "/PRIVATE/file": ErrNotAllowed, "/other": nil,
		"/m/private": ErrNotAllowed, "/m/PRIVATE": nil,
		"/M": fs.ErrNotExist, "/M/file": fs.ErrNotExist,
		"/a.KEY": fs.ErrNotExist, "/a.key": fs.ErrNotExist, "/m/a.KEY": nil,
		"/m/a.key": fs.ErrNotExist,
	} {
		at, err := v.Locate(name)
		if err == nil {
			err = at.Permit(at.Rel, config.Read)
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// The head of a path has the first components.
func TestHead(t *testing.T) {
	for n, want := range []string{"/", "/a", "/a/b", "/a/b"} {
		if got := head("/a/b", n); got != want {
			t.Errorf("the first %d components: %q, not %q", n, got, want)
		}
	}
}

// For any name and any path of a mount, Locate returns the mount with the longest path at or
// above the name and a relative path without "..". Rights.At treats the same names as below that
// path.
func FuzzLocate(f *testing.F) {
	for _, seed := range [][2]string{{"/a/b", "/a"}, {"/ab", "/a"}, {"/a/../b//c/.", "/b/c"},
		{"/../..", "/"}, {"/a/b/c", "/a/b"},
		{"a", "/a"}, {"/\x00", "/"}, {"/a/", "//a/"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, name, mounted string) {
		if !strings.HasPrefix(mounted, "/") {
			return
		}
		rules := config.NewRights(config.Full,
			[]config.Rule{{Path: path.Clean(mounted), Permissions: config.List}})
		view := open(t, rules, nil, "/", mounted, "/a/b")
		at, err := view.Locate(name)
		if bad := !strings.HasPrefix(name, "/") || len(name) > maxName ||
			strings.Contains(name, "\x00"); bad || err != nil {
			if !bad || err != ErrName {
				t.Errorf("%q: %v", name, err)
			}
			return
		}
		if at.Name != path.Clean(name) || path.Join(at.Path, at.Rel) != at.Name ||
			slices.Contains(strings.Split(at.Rel, "/"), "..") ||
			path.IsAbs(at.Rel) || at.Rel == "" {
			t.Errorf("%q is located at %q as %q, %q", name, at.Path, at.Name, at.Rel)
		}
		for _, m := range view.mounts {
			inside := strings.HasPrefix(at.Name+"/", strings.TrimSuffix(m.Path, "/")+"/")
			if inside && len(m.Path) > len(at.Path) ||
				m == at.Mount && !inside {
				t.Errorf("%q is located at %q, and there is %q", name, at.Path, m.Path)
			}
		}
		inside := config.Within(at.Name, path.Clean(mounted))
		if inside != (rules.At(name) == config.List) {
			t.Errorf("%q is below %q: %v, but its rights are %v",
				name, mounted, inside, rules.At(name))
		}
	})
}
