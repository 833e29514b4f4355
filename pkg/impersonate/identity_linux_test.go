package impersonate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ftpd/pkg/internal/coretest"
)

// ownState returns the state of the calling thread.
func ownState(t *testing.T) threadState {
	t.Helper()
	return threadStates(t)[fmt.Sprint(unix.Gettid())]
}

func TestNilIdentityIsTheProcess(t *testing.T) {
	want := errors.New("an error of the call")
	var id *Identity
	if err := id.Do(func() error { return want }); err != want {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func TestRootIsRefused(t *testing.T) {
	ran := false
	root := NewThreads(10).Identity("root", Credentials{UID: 0, GID: 0})
	err := root.Do(func() error { ran = true; return nil })
	if !errors.Is(err, ErrRoot) || ran {
		t.Fatalf("uid 0: %v, ran: %v", err, ran)
	}
}

func TestIdentityInsideAndAfter(t *testing.T) {
	if coretest.Run(t, nil, coretest.Caps...) == "" {
		return
	}
	threads := NewThreads(10)
	for _, user := range []Credentials{alice, bob, {UID: aliceID, GID: bobID}} {
		var inside threadState
		err := threads.Identity("user", user).Do(func() error { inside = ownState(t); return nil })
		if err != nil {
			t.Fatal(err)
		}
		want := threadState{uid: fmt.Sprint(user.UID), gid: fmt.Sprint(user.GID)}
		if len(user.Groups) == 2 {
			want.groups = fmt.Sprint(teamID)
		}
		if inside != want {
			t.Errorf("inside a section of %+v: %+v", user, inside)
		}
		if after := ownState(t); after != coreState {
			t.Errorf("after a section of %+v: %+v", user, after)
		}
	}
}

// A section of a user without supplementary groups does not have those of the process.
func TestSectionDropsGroupsOfProcess(t *testing.T) {
	if coretest.Run(t, []uint32{teamID}, coretest.Caps...) == "" {
		return
	}
	var inside threadState
	err := NewThreads(10).Identity("bob", bob).Do(func() error { inside = ownState(t); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if inside != stateOf(bob) {
		t.Errorf("inside: %+v", inside)
	}
	want := coreState
	want.groups = fmt.Sprint(teamID)
	for thread, state := range threadStates(t) {
		if state != want {
			t.Errorf("thread %s afterwards: %+v", thread, state)
		}
	}
}

func TestWithoutCapabilities(t *testing.T) {
	if coretest.Run(t, nil) == "" {
		return
	}
	refuseAll(t)
}

func TestWithoutSetuid(t *testing.T) {
	if coretest.Run(t, nil, unix.CAP_SETGID) == "" {
		return
	}
	refuseAll(t)
}

func TestWithoutSetgid(t *testing.T) {
	if coretest.Run(t, nil, unix.CAP_SETUID) == "" {
		return
	}
	refuseAll(t)
}

// refuseAll checks that no call runs, and that no thread keeps a part of an identity.
func refuseAll(t *testing.T) {
	const invalid = ^uint32(0)
	threads := NewThreads(10)
	for _, user := range []Credentials{
		alice, bob, {UID: aliceID, GID: invalid}, {UID: invalid, GID: bobID},
	} {
		ran := false
		err := threads.Identity("user", user).Do(func() error { ran = true; return nil })
		if !errors.Is(err, os.ErrPermission) || errors.Is(err, ErrLost) || ran {
			t.Errorf("%+v: %v, ran: %v", user, err, ran)
		}
	}
	for thread, state := range threadStates(t) {
		if state != coreState {
			t.Errorf("thread %s was left with %+v", thread, state)
		}
	}
}

func TestBadEndings(t *testing.T) {
	if coretest.Run(t, nil, coretest.Caps...) == "" {
		return
	}
	id := NewThreads(10).Identity("alice", alice)
	var panicked *Panic
	err := id.Do(func() error { panic("oh") })
	if !errors.As(err, &panicked) || panicked.Value != "oh" ||
		!strings.Contains(string(panicked.Stack), "TestBadEndings") {
		t.Errorf("a panic: %v", err)
	}
	if err := id.Do(func() error { runtime.Goexit(); return nil }); !errors.Is(err, ErrExited) {
		t.Errorf("Goexit: %v", err)
	}
	ran := false
	err = id.Do(func() error { return id.Do(func() error { ran = true; return nil }) })
	if !errors.Is(err, ErrNested) || ran {
		t.Errorf("a section inside a section: %v, ran: %v", err, ran)
	}
	for thread, state := range threadStates(t) {
		if state != coreState {
			t.Errorf("thread %s was left with %+v", thread, state)
		}
	}
}

// loseIdentity makes it impossible to restore the identity of the thread: all its ids become
// those of alice, and it drops its capabilities. The kernel then refuses the ids of the core
// without an error.
func loseIdentity() error {
	if _, _, number := unix.RawSyscall(unix.SYS_SETRESUID, aliceID, aliceID, aliceID); number != 0 {
		return number
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&header, &none[0])
}

func TestLostThreads(t *testing.T) {
	if coretest.Run(t, nil, coretest.Caps...) == "" {
		return
	}
	threads := NewThreads(1000)
	ids := []*Identity{threads.Identity("alice", alice), threads.Identity("bob", bob)} // with and without groups
	before := threadStates(t)
	lost := make(map[string]bool)
	for i := range 100 {
		var thread string
		err := ids[i%2].Do(func() error {
			thread = fmt.Sprint(unix.Gettid())
			return loseIdentity()
		})
		if !errors.Is(err, ErrLost) {
			t.Fatalf("section %d: %v", i, err)
		}
		if lost[thread] {
			t.Fatalf("thread %s ran another section after it was lost", thread)
		}
		lost[thread] = true
	}
	for thread := range lost { // each ends soon after its section
		for exists(thread) {
			runtime.Gosched()
		}
	}
	after := threadStates(t)
	for thread, state := range after {
		if state != coreState {
			t.Errorf("thread %s was left with %+v", thread, state)
		}
	}
	for thread := range before {
		if _, lives := after[thread]; !lives && !lost[thread] {
			t.Errorf("thread %s ended though it was not lost", thread)
		}
	}
	if threads.held != 0 || len(threads.users) != 0 {
		t.Errorf("sections left over: %d, %v", threads.held, threads.users)
	}
	if err := ids[0].Do(func() error { return nil }); err != nil {
		t.Errorf("the next section: %v", err)
	}
}

func exists(thread string) bool {
	_, err := os.Stat(filepath.Join("/proc/self/task", thread))
	return err == nil
}
