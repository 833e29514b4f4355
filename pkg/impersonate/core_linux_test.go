package impersonate

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ftpd/pkg/internal/coretest"
)

// No section runs on the main thread, as in the service.
func init() { runtime.LockOSThread() }

// The uids and gids of these tests need no accounts.
const (
	coreID  = coretest.ID
	aliceID = 61001
	bobID   = 61002
	teamID  = 61003 // a supplementary group of alice
)

var (
	alice = Credentials{UID: aliceID, GID: aliceID, Groups: []uint32{aliceID, teamID}}
	bob   = Credentials{UID: bobID, GID: bobID, Groups: []uint32{bobID}}
)

// threadState is the identity of one thread, as /proc shows it.
type threadState struct{ uid, gid, groups string }

// threadStates returns the states of all threads by their ids. It omits threads that end
// meanwhile.
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

// stateOf returns the state of a thread with all ids and groups of c.
func stateOf(c Credentials) threadState {
	s := threadState{uid: fmt.Sprint(c.UID), gid: fmt.Sprint(c.GID)}
	if c.UID == aliceID {
		s.groups = fmt.Sprint(teamID)
	}
	return s
}

var coreState = stateOf(Credentials{UID: coreID, GID: coreID})

// legalStates returns the states of the core and of the users, and those in between while a
// section begins or ends.
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
