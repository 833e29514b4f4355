//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFUSEWithoutAllowOther checks that what a user has mounted by FUSE is refused by the kernel
// without allow_other, inside a home and as one; the log names what to change.
func TestFUSEWithoutAllowOther(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "bindfs")
	u := newAccount(t)
	mount := filepath.Join(u.home, "mount")
	u.mountSelf(t, "source", mount)
	var users string
	homes := map[string]string{"inside": filepath.Join(mount, "dir"), "itself": mount}
	for name, home := range homes {
		users += fmt.Sprintf("[[user]]\nname = %q\npassword = %q\nhome = %q\nrun_as = %q\n",
			name, hashes["sha256-crypt"], home, u.name)
	}
	s := serve(t, settings{"end": users})
	c := login(t, s.addr, u.name, u.password)
	for _, line := range []string{"CWD mount", "RETR mount/file", "SIZE mount/dir/none",
		"STOR mount/new", "LIST mount", "MKD mount/dir/new", "MLST mount",
		"RNFR mount/file", "DELE mount/file"} {
		c.refusedAll(t, line)
		verb, arg, _ := strings.Cut(line, " ")
		s.log.wait(t, "the cause of "+line, func(r record) bool {
			return r.Message == "command" && r.Verb == verb && r.Path == "/"+arg &&
				strings.Contains(r.Cause, "allow_other")
		})
	}
	u.file(t, "closed", "x", 0, 0, 0o600)
	c.refusedAll(t, "RETR closed")
	plain := s.log.wait(t, "the cause of RETR closed",
		func(r record) bool { return r.Path == "/closed" })
	if strings.Contains(plain.Cause, "allow_other") {
		t.Errorf("a refusal by mode has the cause %q", plain.Cause)
	}
	for name := range homes {
		if r, _ := refuse(t, s.addr, name, "secret"); r.code != 530 {
			t.Errorf("a home there: %v", r)
		}
		s.log.wait(t, "the cause of the login of "+name, func(r record) bool {
			return r.Message == "login_failed" && r.User == name &&
				strings.Contains(r.Cause, "allow_other")
		})
	}
}

// mountSelf mounts a directory of the account again, by FUSE, as the account. It has "file" and "dir".
func (a account) mountSelf(t *testing.T, source, at string) {
	t.Helper()
	source = filepath.Join(a.home, source)
	for _, dir := range []string{source, filepath.Join(source, "dir"), at} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, a.uid, a.gid); err != nil {
			t.Fatal(err)
		}
	}
	a.file(t, filepath.Base(source)+"/file", "text", a.uid, a.gid, 0o644)
	out, err := exec.Command("setpriv", "--reuid", a.name, "--regid", fmt.Sprint(a.gid),
		"--clear-groups", "--", "bindfs", "--no-allow-other", source, at).CombinedOutput()
	if err != nil {
		t.Skipf("needs a machine where users mount by FUSE: %v: %s; run there: sudo make system",
			err, out)
	}
	t.Cleanup(func() { unmount(t, at) })
}
