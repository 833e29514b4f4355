// Package impersonate runs single calls with the identity of another user.
//
// Only Linux can: there the identity that the kernel asks at a file belongs to the thread (setfsuid(2)), so one process serves many
// users at once. A section, one call of Do, runs on a goroutine of its own which is locked to its thread:
//
//	the user's groups, gid, uid  →  call  →  gid, uid, groups of the process
//
// The groups come first and last, so that a thread never has a user's uid with groups that are not that user's. All is read back:
// setfsuid tells nobody that it was refused. A thread that cannot be given the identity of the process back would serve another user
// next, so it ends with the section's goroutine; the caller, whose goroutine never had another identity, is told by ErrLost.
//
// Rules for callers:
//
//   - A section makes system calls on files and nothing else. It does not wait for channels, locks or the network: it holds a thread.
//   - It does not start another section (ErrNested), and a goroutine started inside has the identity of the process.
//   - Reading, writing and closing a descriptor need no section, the kernel asked at open; calls that take a path do.
//   - The program locks its main goroutine in an init function (runtime.LockOSThread). No section runs on the main thread then, the
//     one thread that the runtime cannot end.
//   - The process needs CAP_SETUID and CAP_SETGID, should have no supplementary groups, must not be root, and has umask 0.
package impersonate

import (
	"errors"
	"fmt"
)

// Credentials name a system identity; they are plain numbers, so they may cross the monitor.
type Credentials struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary groups
}

var (
	ErrRoot   = errors.New("no section runs as root")
	ErrNested = errors.New("a section inside a section")
	ErrBusy   = errors.New("too many file operations under way")

	// ErrLost says that the call ran and its thread could not be given the identity of the process back; the thread is gone.
	ErrLost = errors.New("the thread's identity could not be restored")

	// ErrExited says that the call ended its goroutine (runtime.Goexit) instead of returning.
	ErrExited = errors.New("the call ended its goroutine")
)

// A Panic is a panic inside a section, as an error.
type Panic struct {
	Value any
	Stack []byte // of the section's goroutine
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// An Identity is a user whose rights calls can run with. The nil Identity is the process itself. It is immutable, and any number
// of goroutines may use it at the same time.
type Identity struct {
	as      Credentials
	groups  []int // for setgroups(2); nil where as.GID says it all
	threads *Threads
}

// Identity prepares the identity of c. It cannot fail: what is wrong with c (uid 0) is refused by Do.
func (t *Threads) Identity(c Credentials) *Identity {
	id := &Identity{as: c, threads: t}
	for _, g := range c.Groups {
		if g != c.GID {
			id.groups = append(id.groups, int(g))
		}
	}
	return id
}

// Do runs call with the user's identity and returns its error. It may wait some seconds for a thread and then fails with ErrBusy.
// Where the system refuses the identity, call does not run. A panic in call becomes a *Panic, a runtime.Goexit ErrExited. The nil
// Identity runs call at once, on the caller's goroutine.
func (id *Identity) Do(call func() error) error {
	if id == nil {
		return call()
	}
	if err := id.check(); err != nil {
		return err
	}
	if err := id.threads.acquire(id.as.UID); err != nil {
		return err
	}
	defer id.threads.release(id.as.UID)
	done := make(chan error, 1)
	go id.section(call, done) // ends when call has returned
	return <-done
}
