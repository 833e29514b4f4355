package impersonate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Main's thread runs no section, as in the service.
func init() { runtime.LockOSThread() }

// These tests run as the core does: an ordinary user with CAP_SETUID and CAP_SETGID. As root the test binary executes itself so, for
// one test at a time. The users need no names.
const (
	coreID  = 60969
	aliceID = 61001
	bobID   = 61002
	teamID  = 61003 // a supplementary group of alice
)

var (
	alice = Credentials{UID: aliceID, GID: aliceID, Groups: []uint32{aliceID, teamID}}
	bob   = Credentials{UID: bobID, GID: bobID, Groups: []uint32{bobID}}
)

// dirVariable tells the other process that it is the core, and its directory, which everybody may write.
const dirVariable = "FTPD_TEST_CORE"

// asCore runs the calling test again in a process with these capabilities and supplementary groups. There it returns the directory;
// in the first process it returns "" after the other one has passed.
func asCore(t *testing.T, groups []uint32, caps ...uintptr) string {
	t.Helper()
	if dir := os.Getenv(dirVariable); dir != "" {
		return dir
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: sudo go test ./pkg/impersonate/")
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
	core.Env = append(os.Environ(), dirVariable+"="+dir)
	core.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: coreID, Gid: coreID, Groups: groups},
		AmbientCaps: caps,
	}
	out, err := core.CombinedOutput()
	t.Logf("as the core:\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

var bothCaps = []uintptr{unix.CAP_SETUID, unix.CAP_SETGID}

// threadState is one thread's line in the identity of the process, as /proc shows it.
type threadState struct{ uid, gid, groups string }

// threadStates reads all threads. One that ends meanwhile is left out.
func threadStates(t *testing.T) map[string]threadState {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatalf("no threads in /proc: %v", err)
	}
	states := make(map[string]threadState, len(files))
	for _, name := range files {
		status, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var s threadState
		for line := range strings.Lines(string(status)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			fields := strings.Fields(value)
			switch key {
			case "Uid":
				s.uid = fields[3] // real, effective, saved, file system
			case "Gid":
				s.gid = fields[3]
			case "Groups":
				s.groups = strings.Join(fields, " ")
			}
		}
		states[filepath.Base(filepath.Dir(name))] = s
	}
	return states
}

// stateOf is the state of a thread that has an identity whole.
func stateOf(c Credentials) threadState {
	s := threadState{uid: fmt.Sprint(c.UID), gid: fmt.Sprint(c.GID)}
	if c.UID == aliceID {
		s.groups = fmt.Sprint(teamID)
	}
	return s
}

var coreState = stateOf(Credentials{UID: coreID, GID: coreID})

// legalStates are those of the core and the users, and the half-switched ones on the way.
func legalStates() map[threadState]bool {
	legal := map[threadState]bool{coreState: true}
	for _, user := range []Credentials{alice, bob} {
		whole := stateOf(user)
		legal[whole] = true
		legal[threadState{coreState.uid, coreState.gid, whole.groups}] = true
		legal[threadState{coreState.uid, whole.gid, whole.groups}] = true
		legal[threadState{whole.uid, coreState.gid, whole.groups}] = true
	}
	return legal
}
