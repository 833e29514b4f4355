//go:build linux

package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// trustedDir returns a directory in which only root may make entries, all the way up.
func trustedDir(t *testing.T) string {
	t.Helper()
	return openDir(t, "/var")
}

// TestCreateHome checks that a missing home is made for its user at the login, where that is
// safe, and only where the configuration has create_home.
func TestCreateHome(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t, "--system", "--shell", "/usr/sbin/nologin")
	trusted, open := trustedDir(t), sharedDir(t)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	var users strings.Builder
	for name, more := range map[string]string{
		"wanted": fmt.Sprintf("home = %q\ncreate_home = true\numask = \"077\"\n",
			filepath.Join(trusted, "{user}")),
		"fixed": fmt.Sprintf("home = %q\ncreate_home = true\n",
			filepath.Join(trusted, "of-fixed")),
		"unwanted": fmt.Sprintf("home = %q\n", filepath.Join(trusted, "{user}")),
		"unsafe":   fmt.Sprintf("home = %q\ncreate_home = true\n", filepath.Join(open, "{user}")),
	} {
		fmt.Fprintf(&users, "[[user]]\nname = %q\npassword = %q\nrun_as = %q\n%s", name,
			hashes["bcrypt"], owner.name, more)
	}
	s := serve(t, settings{"auth": "failure_delay = \"0s\"\n", "end": users.String()})
	for _, user := range []string{"wanted", "fixed"} {
		storeAs(t, login(t, s.addr, user, "secret"), "file")
	}
	info, err := os.Stat(filepath.Join(trusted, "wanted"))
	if err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("the home: %v, %v", info.Mode(), err)
	}
	belongsTo(t, filepath.Join(trusted, "wanted"), owner.uid, owner.gid)
	belongsTo(t, filepath.Join(trusted, "of-fixed", "file"), owner.uid, owner.gid)
	for user, cause := range map[string]string{"unwanted": "file does not exist",
		"unsafe": "every account can change "} {
		if r, _ := refuse(t, s.addr, user, "secret"); r.code != 530 {
			t.Errorf("%s: %v", user, r)
		}
		s.log.wait(t, user+" and why", func(r record) bool {
			return r.Message == "login_failed" && r.User == user && strings.Contains(r.Cause, cause)
		})
	}
}

// TestHiddenNames checks that names that match files.hide do not exist for clients.
func TestHiddenNames(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	u.file(t, "secret.key", "secret", u.uid, u.gid, 0o644)
	u.file(t, "seen", "seen", u.uid, u.gid, 0o644)
	if err := os.Symlink("secret.key", filepath.Join(u.home, "link")); err != nil {
		t.Fatal(err)
	}
	for hide, code := range map[string]int{`[]`: 226, `["*.key", ".ssh"]`: 550} {
		s := serve(t, settings{"end": "[files]\nhide = " + hide + "\n"})
		c := login(t, s.addr, u.name, u.password)
		for _, name := range []string{"secret.key", "link"} {
			if _, r, err := c.retrieve("RETR " + name); err != nil || r.code != code {
				t.Errorf("hide = %s: RETR %s: %v, %v", hide, name, r, err)
			}
		}
		if r, err := c.store("STOR new.key", "x"); err != nil || r.code != code {
			t.Errorf("hide = %s: STOR: %v, %v", hide, r, err)
		}
		if list, _, err := c.retrieve("NLST"); err != nil ||
			strings.Contains(list, "secret.key") != (code == 226) ||
			!strings.Contains(list, "seen") {
			t.Errorf("hide = %s: NLST has %q, %v", hide, list, err)
		}
	}
}
