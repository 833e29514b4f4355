// Package coretest runs tests as the core runs: an ordinary user with CAP_SETUID and CAP_SETGID and nothing else.
package coretest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ID is the uid and gid that tests have as the core. It needs no name.
const ID = 60969

// Caps are the core's capabilities.
var Caps = []uintptr{unix.CAP_SETUID, unix.CAP_SETGID}

// dirVariable tells the second process that it is the core, and its directory.
const dirVariable = "FTPD_TEST_CORE"

// Run runs the calling test again, in a process of its own with these capabilities and supplementary groups. There it returns a
// directory which everybody may write; in the first process it returns "" after the second has passed. The first one has to be
// root's, else the test is skipped.
func Run(t *testing.T, groups []uint32, caps ...uintptr) string {
	t.Helper()
	if dir := os.Getenv(dirVariable); dir != "" {
		return dir
	}
	if os.Getuid() != 0 {
		dir, _ := os.Getwd()
		t.Skipf("needs root: sudo go test -run '^%s$' ./pkg/%s", t.Name(), filepath.Base(dir))
	}
	dir, err := os.MkdirTemp("", "ftpdtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "core.test") // go test's own copy lies where only root looks
	image, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, image, 0o755); err != nil {
		t.Fatal(err)
	}
	core := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	core.Dir = "/"
	core.Env = append(os.Environ(), dirVariable+"="+dir, "GORACE=atexit_sleep_ms=0")
	core.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: ID, Gid: ID, Groups: groups},
		AmbientCaps: caps,
	}
	out, err := core.CombinedOutput()
	t.Logf("as the core:\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return ""
}
