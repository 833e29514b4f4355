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

// TestShare checks that `ftpd share` needs no configuration, no account and no root, and that it
// serves for reading alone.
func TestShare(t *testing.T) {
	t.Parallel()
	s, dir := share(t)
	c := login(t, s.addr, "anonymous", "guest@example.org")
	if list, r, err := c.retrieve("LIST"); !strings.Contains(list, " hello.txt\r\n") ||
		r.code != 226 || err != nil {
		t.Errorf("LIST: %q, %v, %v", list, r, err)
	}
	if data, r, err := c.retrieve("RETR hello.txt"); data != "hello\n" || r.code != 226 ||
		err != nil {
		t.Errorf("RETR: %q, %v, %v", data, r, err)
	}
	for _, verb := range []string{"STOR new", "STOR hello.txt", "APPE hello.txt"} {
		if r, err := c.store(verb, "text"); r.code != 550 || err != nil {
			t.Errorf("%s: %v, %v", verb, r, err)
		}
	}
	c.expect(t, 550, "DELE hello.txt")
	c.expect(t, 550, "MKD new")
	c.do("RNFR hello.txt")
	if r, err := c.do("RNTO new"); err != nil || r.code < 500 {
		t.Errorf("RNTO: %v, %v", r, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 ||
		readFile(t, filepath.Join(dir, "hello.txt")) != "hello\n" {
		t.Errorf("the folder has changed: %v, %v", entries, err)
	}
	warnings, _ := s.log.find(func(r record) bool {
		return r.Level == "warn" && !strings.HasPrefix(r.Message, "no certificate")
	})
	if len(warnings) > 0 {
		t.Errorf("warnings of what no user of share has set: %v", warnings)
	}
}

func TestShareForWriting(t *testing.T) {
	t.Parallel()
	s, dir := share(t, "--write")
	c := login(t, s.addr, "anonymous", "guest@example.org")
	if r, err := c.store("STOR new", "some text"); r.code != 226 || err != nil {
		t.Fatalf("STOR: %v, %v", r, err)
	}
	if got := readFile(t, filepath.Join(dir, "new")); got != "some text" {
		t.Errorf("the upload is %q", got)
	}
	c.expect(t, 250, "DELE new")
}

func TestShareWithCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s, dir := share(t)
	url := "ftp://" + s.addr + "/"
	if list := command(t, "", "curl", "--silent", "--show-error", url); !strings.Contains(list,
		" hello.txt\n") {
		t.Errorf("listing: %q", list)
	}
	if got := command(t, "", "curl", "--silent", "--show-error",
		url+"hello.txt"); got != "hello\n" {
		t.Errorf("hello.txt: %q", got)
	}
	if out, err := exec.Command("curl", "--silent", "--upload-file",
		filepath.Join(dir, "hello.txt"), url+"new").CombinedOutput(); err == nil {
		t.Errorf("an upload was accepted: %s", out)
	}
}

// share starts `ftpd share` as an ordinary user, on a folder that the user may write.
func share(t *testing.T, options ...string) (s *server, dir string) {
	t.Helper()
	s, dir = newShare(t, options...)
	s.start(t)
	return s, dir
}

// newShare prepares the server that share starts.
func newShare(t *testing.T, options ...string) (s *server, dir string) {
	t.Helper()
	dir = sharedDir(t)
	writeFile(t, filepath.Join(dir, "hello.txt"), "hello\n", 0o644)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	s = newServer(t, port, append([]string{"share", dir, "--listen",
		fmt.Sprintf("127.0.0.1:%d", port)}, options...)...)
	asOrdinaryUser(s.cmd)
	return s, dir
}

// asOrdinaryUser makes a command of root's tests run as nobody.
func asOrdinaryUser(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534,
			Gid: 65534}}
	}
}
