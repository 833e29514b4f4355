//go:build linux

package tests

import (
	"path/filepath"
	"strings"
	"testing"
)

// A home that the kernel would not let the core open is refused at the login, and the log says what to write where.
func TestHomeOutsideTheRoots(t *testing.T) {
	needRoot(t)
	home := filepath.Join(sharedDir(t), "home")
	outside, inside := newAccount(t, "--home-dir", home), newAccount(t)
	s := serve(t, nil)
	if got, _ := refuse(t, s.addr, outside.name, outside.password); got.code != 530 {
		t.Errorf("got %v", got)
	}
	r := s.log.wait(t, "login_failed", message("login_failed"))
	if !strings.Contains(r.Cause, "server.roots") || !strings.Contains(r.Cause, home) {
		t.Errorf("the log says %q", r.Cause)
	}
	login(t, s.addr, inside.name, inside.password)
}

func TestHomeInsideNamedRoots(t *testing.T) {
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
