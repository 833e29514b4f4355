//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// `ftpd share` needs no configuration, no account and no root.
func TestShare(t *testing.T) {
	need(t, "curl")
	s, dir := share(t)
	url := "ftp://" + s.addr + "/"

	if list := command(t, "", "curl", "--silent", url); !strings.Contains(list, " hello.txt") {
		t.Errorf("listing: %q", list)
	}
	if got := command(t, "", "curl", "--silent", url+"hello.txt"); got != "hello\n" {
		t.Errorf("hello.txt: %q", got)
	}
	if out, err := exec.Command("curl", "--silent", "--upload-file", "/etc/hostname", url+"new").CombinedOutput(); err == nil {
		t.Errorf("an upload was accepted: %s", out)
	}
	c := login(t, s.addr, "anonymous", "guest@example.org")
	c.expect(t, 550, "DELE hello.txt")
	c.expect(t, 550, "MKD new")
	c.do("RNFR hello.txt")
	if r, err := c.do("RNTO new"); err != nil || r.code < 500 {
		t.Errorf("RNTO: %v, %v", r, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v (%v)", entries, err)
	}
}

func TestShareForWriting(t *testing.T) {
	need(t, "curl")
	s, dir := share(t, "--write")
	command(t, "some text", "curl", "--silent", "--show-error", "--upload-file", "-", "ftp://"+s.addr+"/new")
	if got := readFile(t, filepath.Join(dir, "new")); got != "some text" {
		t.Errorf("the upload is %q", got)
	}
}

// share starts `ftpd share` as an ordinary user, on a folder that the user may write.
func share(t *testing.T, options ...string) (s *server, dir string) {
	t.Helper()
	dir = sharedDir(t)
	writeFile(t, filepath.Join(dir, "hello.txt"), "hello\n", 0o644)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s = newServer(t, port, append([]string{"share", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port)}, options...)...)
	asOrdinaryUser(s.cmd)
	s.start(t)
	return s, dir
}

// asOrdinaryUser has root's tests run a command as nobody.
func asOrdinaryUser(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
}
