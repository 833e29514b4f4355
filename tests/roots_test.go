//go:build linux

package tests

import (
	"path/filepath"
	"strings"
	"testing"

	"ftpd/pkg/sandbox"
)

// TestHomeOutsideTheRoots checks that a home that the kernel would not let the core open is
// refused at the login, and that the log names the key to change.
func TestHomeOutsideTheRoots(t *testing.T) {
	t.Parallel()
	needRoot(t)
	home := filepath.Join(sharedDir(t), "home")
	outside, inside := newAccount(t, "--home-dir", home), newAccount(t)
	s := serve(t, nil)
	if got, _ := refuse(t, s.addr, outside.name, outside.password); got.code != 530 {
		t.Errorf("got %v", got)
	}
	r := s.log.wait(t, "login_failed", message("login_failed"))
	if !strings.Contains(r.Cause, "server.roots") || !strings.Contains(r.Cause, home) {
		t.Errorf("the log has %q", r.Cause)
	}
	login(t, s.addr, inside.name, inside.password)
}

// TestHomeThatDoesNotExist checks that the log does not advise to add a home that does not exist
// to the roots.
func TestHomeThatDoesNotExist(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	changeAccounts(t, "", "usermod", "--home", "/nonexistent", u.name)
	s := serve(t, settings{"auth": "failure_delay = \"0s\"\n"})
	if got, _ := refuse(t, s.addr, u.name, u.password); got.code != 530 {
		t.Errorf("got %v", got)
	}
	r := s.log.wait(t, "login_failed", message("login_failed"))
	if want := u.name + ": home /nonexistent does not exist"; r.Cause != want {
		t.Errorf("the log has %q, want %q", r.Cause, want)
	}
}

func TestHomeInsideNamedRoots(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := sharedDir(t)
	u := newAccount(t, "--home-dir", filepath.Join(dir, "home"))
	s := serve(t, settings{"server": "roots = [\"" + dir + "\"]\n"})
	c := login(t, s.addr, u.name, u.password)
	if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
	belongsTo(t, filepath.Join(u.home, "file"), u.uid, u.gid)
}

// TestListingOfTheHost checks that where the "/" of a user is the host's, the kernel refuses a
// listing of "/" itself, as documented, and permits those of the directories below.
func TestListingOfTheHost(t *testing.T) {
	t.Parallel()
	needRoot(t)
	if sandbox.Probe().Landlock == "" {
		t.Skip("needs Landlock; run: sudo make system, on Linux 5.19 or later, outside of containers")
	}
	u := newAccount(t)
	s := serve(t, settings{"server": "roots = [\"/\"]\n", "defaults": "home = \"/\"\n"})
	c := login(t, s.addr, u.name, u.password)
	if _, r, err := c.retrieve("LIST /"); err != nil || r.code != 550 {
		t.Errorf("LIST /: %v, %v", r, err)
	}
	names, r, err := c.retrieve("NLST /home")
	if err != nil || r.code != 226 || !strings.Contains(names, u.name) {
		t.Errorf("NLST /home: %q, %v, %v", names, r, err)
	}
}
