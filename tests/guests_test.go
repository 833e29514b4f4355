//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuests checks that a user that PAM accepts and the system does not have logs in under the
// own name, with the identity of the account auth.guest, which may be a system account without a
// shell.
func TestGuests(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t, "--system", "--shell", "/usr/sbin/nologin")
	const guest = "ftpdtest-ghost"
	home := filepath.Join(owner.home, guest)
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home, owner.uid, owner.gid); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	config := filepath.Join(t.TempDir(), "ftpd.toml")
	writeFile(t, config, fmt.Sprintf(`[server]
listen = ["127.0.0.1:%d"]
[auth]
pam_service = %q
guest = %q
failure_delay = "100ms"
[defaults]
home = %q
`, port, passwordService(t, guest, "sesame"), owner.name, owner.home+"/{user}"), 0o600)
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)

	c := login(t, s.addr, guest, "sesame")
	if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	belongsTo(t, filepath.Join(home, "file"), owner.uid, owner.gid)
	s.log.wait(t, "a login of the guest by name",
		func(r record) bool { return r.Message == "login" && r.User == guest })
	if r, _ := refuse(t, s.addr, guest, "wrong"); r.code != 530 {
		t.Errorf("a wrong password: %v", r)
	}
	if r, _ := refuse(t, s.addr, owner.name, "sesame"); r.code != 530 {
		t.Errorf("the account itself, which this PAM service does not have: %v", r)
	}
}

// passwordService makes a PAM service with one user, which pam_exec checks in place of pam_userdb
// or pam_mysql.
func passwordService(t *testing.T, user, password string) string {
	t.Helper()
	return scriptService(t, fmt.Sprintf("[ \"$PAM_USER:$(tr -d '\\0')\" = '%s:%s' ]", user, password))
}

// scriptService makes a PAM service that checks passwords by a line of shell, which gets the
// password with a NUL. pam_permit sets the credentials, which pam_exec does not.
func scriptService(t *testing.T, script string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "check")
	writeFile(t, program, "#!/bin/sh\n"+script+"\n", 0o700)
	name := "ftpdtest" + strings.ToLower(rand.Text()[:8])
	path := filepath.Join("/etc/pam.d", name)
	t.Cleanup(func() { os.Remove(path) })
	writeFile(t, path, fmt.Sprintf("auth required pam_exec.so quiet expose_authtok %s\nauth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n", program), 0o644)
	return name
}
