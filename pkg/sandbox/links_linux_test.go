package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A link on the way to a root is followed only where no user could have made it.
func TestLinksOfRoots(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root; run: sudo go test ./pkg/sandbox")
	}
	const user = 61001
	base := t.TempDir()
	if err := os.Chmod(base, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"served/below", "users"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string, owner int) {
		name = filepath.Join(base, name)
		if err := errors.Join(os.Symlink(target, name), os.Lchown(name, owner, owner)); err != nil {
			t.Fatal(err)
		}
	}
	link("served", "relative", 0)
	link(filepath.Join(base, "served"), "absolute", 0)
	link("relative", "twice", 0)
	link("../served", "users/of-root", 0)
	link("../served", "users/of-user", user)
	link("served", "given", user) // in a directory of root
	link("round", "round", 0)
	link("users/of-user", "leads-to-a-users", 0)
	if err := os.Chown(filepath.Join(base, "users"), user, user); err != nil {
		t.Fatal(err)
	}
	served, below := filepath.Join(base, "served"), filepath.Join(base, "served/below")
	for path, want := range map[string]string{
		"served": served, "relative": served, "absolute": served, "twice": served,
		"twice/below": below, "users/of-root/below/.": below, "given/below": below,
		"users/of-user": "", "users/of-user/below": "", "leads-to-a-users": "", "round": "",
	} {
		r := openRoots(t, filepath.Join(base, path))[0]
		switch {
		case want == "" && !errors.Is(r.Err, ErrLink):
			t.Errorf("%s leads to %s, %v", path, r.Real, r.Err)
		case want != "" && (r.Err != nil || r.Real != want || !r.Dir):
			t.Errorf("%s leads to %s, %v, want %s", path, r.Real, r.Err, want)
		}
	}
}
