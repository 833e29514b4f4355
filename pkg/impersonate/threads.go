package impersonate

import (
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	perUser  = 64               // sections of one uid at the same time: what a hung file system of one user may take
	patience = 10 * time.Second // how long a section waits for a thread
	spare    = 1000             // threads for the runtime and for everything that is no section
)

// Threads bounds how many threads sections hold: one each, for as long as the kernel takes. Below the bounds nothing waits. The
// runtime kills the process at its own limit, so that one is set well above ours.
type Threads struct {
	max int
	own identity

	mu      sync.Mutex
	held    int            // guarded by mu
	users   map[uint32]int // guarded by mu; sections by uid, none of them zero
	waiting []*waiter      // guarded by mu; first come, first served
}

type waiter struct {
	uid   uint32
	ready chan struct{} // closed with the section granted
}

// NewThreads allows max sections at the same time, of which one user may have 64. It remembers the identity that the process has
// now as the one that threads return to.
func NewThreads(max int) *Threads {
	debug.SetMaxThreads(max + spare)
	return &Threads{max: max, own: ownIdentity(), users: make(map[uint32]int)}
}

// acquire waits until uid may have one more section, and no longer than patience: then it fails with ErrBusy.
func (t *Threads) acquire(uid uint32) error {
	t.mu.Lock()
	if t.freeLocked(uid) {
		t.takeLocked(uid)
		t.mu.Unlock()
		return nil
	}
	w := &waiter{uid: uid, ready: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()

	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-w.ready:
		return nil
	case <-late.C:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, w)
	if i < 0 {
		return nil // granted just now
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return ErrBusy
}

// release gives a section back, to the first waiter that it helps.
func (t *Threads) release(uid uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	helps := t.held == t.max || t.users[uid] == perUser
	t.held--
	if t.users[uid]--; t.users[uid] == 0 {
		delete(t.users, uid)
	}
	if !helps {
		return
	}
	i := slices.IndexFunc(t.waiting, func(w *waiter) bool { return t.freeLocked(w.uid) })
	if i < 0 {
		return
	}
	w := t.waiting[i]
	t.waiting = slices.Delete(t.waiting, i, i+1)
	t.takeLocked(w.uid)
	close(w.ready)
}

func (t *Threads) freeLocked(uid uint32) bool { return t.held < t.max && t.users[uid] < perUser }

func (t *Threads) takeLocked(uid uint32) {
	t.held++
	t.users[uid]++
}
