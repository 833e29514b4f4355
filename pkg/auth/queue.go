package auth

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
)

// ErrBusy tells that too many logins wait for their turn.
var ErrBusy = errors.New("too many logins are waiting")

// A Queue lets a bounded number of logins work and makes the others wait. Turns go round over the clients' addresses, so that one
// address with many logins delays another address's login by one turn at most; within an address, first come, first served. The
// waiting are bounded, too: one address may fill a quarter of the places, and when all are taken, a newcomer takes the last place of
// the address that has most. So a flood costs a quiet address nothing but turns.
type Queue struct {
	places int // how many may wait; immutable

	mu      sync.Mutex
	free    int                        // guarded by mu; how many more may work
	length  int                        // guarded by mu; how many wait
	waiting map[netip.Prefix][]*waiter // guarded by mu; no list is empty
	turns   []netip.Prefix             // guarded by mu; the keys of waiting, next first
}

type waiter struct {
	ready chan error // buffered; nil: it is your turn, ErrBusy: you lost your place
}

// NewQueue lets so many logins work at one time, and places of them wait.
func NewQueue(working, places int) *Queue {
	return &Queue{places: places, free: working, waiting: map[netip.Prefix][]*waiter{}}
}

// Enter waits for a turn. The caller gives it back with Leave, once. The error is ErrBusy or the context's cause.
func (q *Queue) Enter(ctx context.Context, client netip.Addr) error {
	from := network(client)
	w := q.wait(from)
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
		q.giveUp(from, w)
		return context.Cause(ctx)
	}
}

// Leave gives a turn back to whoever is next.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	q.nextLocked()
}

func (q *Queue) wait(from netip.Prefix) *waiter {
	w := &waiter{ready: make(chan error, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	mine := len(q.waiting[from])
	if q.free == 0 && (mine >= max(q.places/4, 1) || q.length >= q.places && !q.evictLocked(mine+1)) {
		w.ready <- ErrBusy
		return w
	}
	if mine == 0 {
		q.turns = append(q.turns, from)
	}
	q.waiting[from] = append(q.waiting[from], w)
	q.length++
	q.nextLocked()
	return w
}

// nextLocked gives the free turns away.
func (q *Queue) nextLocked() {
	for q.free > 0 && len(q.turns) > 0 {
		from := q.turns[0]
		q.turns = q.turns[1:]
		w := q.waiting[from][0]
		q.removeLocked(from, 0)
		if len(q.waiting[from]) > 0 {
			q.turns = append(q.turns, from)
		}
		q.free--
		w.ready <- nil
	}
}

// evictLocked takes the last place of the address that has most of them, if those are more than mine.
func (q *Queue) evictLocked(mine int) bool {
	var longest netip.Prefix
	for from, ws := range q.waiting {
		if len(ws) > mine && len(ws) > len(q.waiting[longest]) {
			longest = from
		}
	}
	last := len(q.waiting[longest]) - 1
	if last < 0 {
		return false
	}
	q.waiting[longest][last].ready <- ErrBusy
	q.removeLocked(longest, last) // more are left, so its turn stays
	return true
}

// giveUp takes w out. A turn that came at the same moment is passed on.
func (q *Queue) giveUp(from netip.Prefix, w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting[from], w); i >= 0 {
		q.removeLocked(from, i)
		if len(q.waiting[from]) == 0 {
			q.turns = slices.DeleteFunc(q.turns, func(p netip.Prefix) bool { return p == from })
		}
		return
	}
	if err := <-w.ready; err == nil { // never blocks: who is not waiting was told
		q.free++
		q.nextLocked()
	}
}

// removeLocked takes the i-th waiter of an address out; the caller sees to its turn.
func (q *Queue) removeLocked(from netip.Prefix, i int) {
	q.length--
	q.waiting[from] = slices.Delete(q.waiting[from], i, i+1)
	if len(q.waiting[from]) == 0 {
		delete(q.waiting, from)
	}
}

// network is what counts as one client: an IPv4 address, or an IPv6 /64, of which a single host may use every address.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Addr gives the zero Prefix
	return p
}
