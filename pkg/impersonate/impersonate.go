// Package impersonate runs single calls with the identity of another user.
//
// It works on Linux only. There, the identity that decides about access to files belongs to
// the thread (setfsuid(2)), so that one process can serve many users at the same time. A
// section is one call of Do. It runs on its own goroutine, which is locked to a thread:
//
//	set groups, gid, uid of the user  →  call  →  set gid, uid, groups of the process
//
// The groups are set first and restored last, so that a thread never combines the uid of one
// user with the groups of another. Each section reads the ids back, because setfsuid does not
// report a refusal. A thread with an identity that cannot be restored would serve another user
// next. Therefore it ends with the goroutine of the section, and Do returns ErrLost. The
// goroutine of the caller always keeps the identity of the process.
//
// Rules for callers:
//
//   - A section makes system calls on files and nothing else. It does not wait for channels, locks
//     or the network, because it occupies a thread.
//   - A section does not start another section (ErrNested). A goroutine started inside a section
//     has the identity of the process.
//   - Reading, writing and closing a descriptor need no section, because the kernel checks the
//     rights when the file is opened. Calls that take a path need one.
//   - The program locks its main goroutine in an init function (runtime.LockOSThread). Then no
//     section runs on the main thread, which is the one thread that the runtime cannot end.
//   - The process needs CAP_SETUID and CAP_SETGID, should have no supplementary groups, must not be
//     root, and has umask 0.
package impersonate

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Credentials are the numbers of a system identity. The core receives them through the monitor.
type Credentials struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary groups
}

var (
	ErrRoot   = errors.New("no section runs as root")
	ErrNested = errors.New("a section inside a section")
	ErrBusy   = errors.New("too many file operations under way")

	// ErrLost means that the call has run, but the identity of its thread could not be
	// restored. The thread has ended.
	ErrLost = errors.New("the thread's identity could not be restored")

	// ErrExited means that the call ended its goroutine (runtime.Goexit) instead of returning.
	ErrExited = errors.New("the call ended its goroutine")
)

// A Panic is an error that holds a panic inside a section.
type Panic struct {
	Value any
	Stack []byte // of the goroutine of the section
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Rethrow panics in this goroutine if err is the panic of a section. The value is a *Panic.
func Rethrow(err error) {
	if p, ok := errors.AsType[*Panic](err); ok {
		panic(p)
	}
}

// PanicReport returns the text for the log of a value that was recovered, with the stack of the
// goroutine that has panicked first: that of the section or this one.
func PanicReport(v any) string {
	stack := debug.Stack()
	if p, ok := v.(*Panic); ok {
		v, stack = p.Value, p.Stack
	}
	return fmt.Sprintf("%v\n%s", v, stack)
}

// An Identity runs calls with the rights of one user. The nil Identity runs them with the
// rights of the process. An Identity is immutable and may be used by several goroutines at the
// same time.
type Identity struct {
	user    string // whose sections are counted together
	as      Credentials
	groups  []int // for setgroups(2): as.Groups without as.GID
	threads *Threads
}

// Identity returns the identity for c. user is the name of the account: several accounts can have
// the same credentials, and the files of one may be on a file system that does not answer. Identity
// accepts all credentials; Do refuses invalid ones (uid 0).
func (t *Threads) Identity(user string, c Credentials) *Identity {
	id := &Identity{user: user, as: c, threads: t}
	for _, g := range c.Groups {
		if g != c.GID {
			id.groups = append(id.groups, int(g))
		}
	}
	return id
}

// Do runs call with the identity of the user and returns the error of call. It may wait for a
// thread, and returns ErrBusy if there is none after 10 seconds. If the system refuses the
// identity, Do returns an error and call does not run. A panic in call becomes a *Panic, a
// runtime.Goexit becomes ErrExited. The nil Identity runs call at once, on the goroutine of
// the caller.
func (id *Identity) Do(call func() error) error {
	if id == nil {
		return call()
	}
	if err := id.check(); err != nil {
		return err
	}
	if err := id.threads.acquire(id.user); err != nil {
		return err
	}
	defer id.threads.release(id.user)
	done := make(chan error, 1)
	go id.section(call, done) // ends when call has returned
	return <-done
}
