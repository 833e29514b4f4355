package impersonate

import (
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// perUser bounds the sections of one user at the same time, and thus the threads that a
	// hung file system of one user can occupy.
	perUser = 64
	// maxWait bounds the time that a section waits for a thread.
	maxWait = 10 * time.Second
	// spare is the number of threads for the runtime and for everything else outside sections.
	spare = 1000
)

// Threads bounds the number of threads that run sections. Each section occupies one thread
// until its system calls return. Below the bounds, no section waits. The runtime ends the
// process if it reaches the limit of the runtime, which NewThreads therefore sets well above
// max.
type Threads struct {
	max int
	own identity

	mu      sync.Mutex
	held    int            // guarded by mu
	users   map[string]int // guarded by mu; running sections by user, without zeros
	waiting []*waiter      // guarded by mu; in order of arrival
}

// A waiter is a section that waits for its thread.
type waiter struct {
	user  string
	ready chan struct{} // closed when the section may run
}

// NewThreads returns bounds that allow max sections at the same time, of which one user may
// have 64. Threads return to the identity that the process has at the time of this call.
func NewThreads(max int) *Threads {
	debug.SetMaxThreads(max + spare)
	return &Threads{max: max, own: ownIdentity(), users: make(map[string]int)}
}

// acquire waits until user may have one more section. It returns ErrBusy after maxWait.
func (t *Threads) acquire(user string) error {
	t.mu.Lock()
	if t.freeLocked(user) {
		t.takeLocked(user)
		t.mu.Unlock()
		return nil
	}
	w := &waiter{user: user, ready: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()

	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()
	select {
	case <-w.ready:
		return nil
	case <-timeout.C:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, w)
	if i < 0 {
		return nil // release has granted the section meanwhile
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return ErrBusy
}

// release ends a section of user and grants a section to the first waiter that may run now.
func (t *Threads) release(user string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wasFull := t.held == t.max || t.users[user] == perUser
	t.held--
	if t.users[user]--; t.users[user] == 0 {
		delete(t.users, user)
	}
	if !wasFull {
		return // no waiter depends on this section
	}
	i := slices.IndexFunc(t.waiting, func(w *waiter) bool { return t.freeLocked(w.user) })
	if i < 0 {
		return
	}
	w := t.waiting[i]
	t.waiting = slices.Delete(t.waiting, i, i+1)
	t.takeLocked(w.user)
	close(w.ready)
}

// freeLocked reports whether user may have one more section.
func (t *Threads) freeLocked(user string) bool { return t.held < t.max && t.users[user] < perUser }

func (t *Threads) takeLocked(user string) {
	t.held++
	t.users[user]++
}
