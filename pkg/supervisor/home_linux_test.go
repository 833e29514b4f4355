package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ftpd/pkg/impersonate"
)

// A home is made only in a directory that no user but root could have replaced or written to.
func TestMakeHome(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root; run: sudo go test ./pkg/supervisor")
	}
	base, err := os.MkdirTemp("/var", "ftpdtest") // every user may write in /tmp
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	for name, mode := range map[string]os.FileMode{"homes": 0o755, "shared": 0o775, "users": 0o755,
		"sticky": 0o777 | os.ModeSticky} {
		dir := filepath.Join(base, name)
		if err := os.Mkdir(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(filepath.Join(base, "users"), 61001, 61001); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(base, "users/inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("homes", filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	owner := &impersonate.Credentials{UID: 61001, GID: 61002}
	for _, c := range []struct{ home, refused string }{
		{"homes/alice", ""},
		{"homes/alice", ""},              // exists already
		{"link/bob", "/homes by a link"}, // auth.Policy has resolved links
		{"shared/alice", "group 0 can change "},
		{"users/alice", " belongs to uid 61001"},
		{"users/inner/alice", " belongs to uid 61001"},
		{"sticky/alice", "others may write in"},
		{"missing/alice", "no such file"},
	} {
		home := filepath.Join(base, c.home)
		err := makeHome(home, owner, 0o027)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v, want %q", c.home, err, c.refused)
			}
			if _, err := os.Lstat(home); err == nil {
				t.Errorf("%s was made", c.home)
			}
			continue
		}
		info, statErr := os.Stat(home)
		if err != nil || statErr != nil {
			t.Errorf("%s: %v, %v", c.home, err, statErr)
			continue
		}
		st := info.Sys().(*syscall.Stat_t)
		if info.Mode() != os.ModeDir|0o750 || st.Uid != 61001 || st.Gid != 61002 {
			t.Errorf("%s is %v of %d:%d", c.home, info.Mode(), st.Uid, st.Gid)
		}
	}
}
