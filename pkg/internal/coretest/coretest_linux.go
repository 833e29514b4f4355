// Package coretest runs tests with the rights of the core: as an ordinary user with CAP_SETUID
// and CAP_SETGID and no other capability.
package coretest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ID is the uid and the gid of a test that runs as the core. No account of the system needs to
// have it.
const ID = 60969

// Caps are the core's capabilities.
var Caps = []uintptr{unix.CAP_SETUID, unix.CAP_SETGID}

// dirVariable is the environment variable that marks the second process and holds its directory.
const dirVariable = "FTPD_TEST_CORE"

// Run runs the calling test again, in a second process with the given capabilities and
// supplementary groups. In the second process, Run returns a directory that every user may
// write to. In the first process, it returns "" after the test has passed in the second, and
// ends the test if it has failed there. Run skips the test unless the first process belongs to
// root.
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
	program := filepath.Join(dir, "core.test") // only root has access to the copy of go test
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
