package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// ErrBusy reports that a login could not be checked because of the others that wait for theirs.
// The client may try again; it has not failed.
var ErrBusy = errors.New("too many logins are waiting")

// A Queue lets a bounded number of logins work and makes the others wait. Turns go round over the clients' addresses, so that one
// address with many logins delays another address's login by one turn at most; within an address, first come, first served. The
// waiting are bounded, too: when all places are taken, a newcomer takes the last place of the address that has most. Addresses under
// suspicion get a quarter of the turns while others wait. So a flood costs a quiet address nothing but a turn or two, however many
// addresses it comes from.
type Queue struct {
	places  int                     // how many may wait; immutable
	suspect func(netip.Prefix) bool // immutable

	mu      sync.Mutex
	free    int                        // guarded by mu; how many more may work
	length  int                        // guarded by mu; how many wait
	waiting map[netip.Prefix][]*waiter // guarded by mu; no list is empty
	turns   []netip.Prefix             // guarded by mu; the keys of waiting that are under no suspicion, next first
	late    []netip.Prefix             // guarded by mu; the others
	given   int                        // guarded by mu; turns so far while both waited
}

type waiter struct {
	ready chan error // buffered; nil: the turn has come, else: the place is lost
}

// NewQueue lets so many logins work at one time, and places of them wait. suspect says whether a client, as Network has it, has failed
// before; nil is nobody.
func NewQueue(working, places int, suspect func(netip.Prefix) bool) *Queue {
	if suspect == nil {
		suspect = func(netip.Prefix) bool { return false }
	}
	return &Queue{places: places, suspect: suspect, free: working, waiting: map[netip.Prefix][]*waiter{}}
}

// Enter waits for a turn. The caller gives it back with Leave, once. The error wraps ErrBusy or the context's cause.
func (q *Queue) Enter(ctx context.Context, client netip.Addr) error {
	from := Network(client)
	w := q.wait(from)
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
		q.giveUp(from, w)
		return fmt.Errorf("the login waited for its turn: %w", context.Cause(ctx))
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
	if q.free == 0 && q.length >= q.places && !q.evictLocked(mine+1) {
		w.ready <- q.full()
		return w
	}
	if mine == 0 {
		q.lineUpLocked(from)
	}
	q.waiting[from] = append(q.waiting[from], w)
	q.length++
	q.nextLocked()
	return w
}

// nextLocked gives the free turns away.
func (q *Queue) nextLocked() {
	for q.free > 0 && len(q.waiting) > 0 {
		from := q.nextClientLocked()
		w := q.waiting[from][0]
		q.removeLocked(from, 0)
		if len(q.waiting[from]) > 0 {
			q.lineUpLocked(from)
		}
		q.free--
		w.ready <- nil
	}
}

func (q *Queue) lineUpLocked(from netip.Prefix) {
	if q.suspect(from) {
		q.late = append(q.late, from)
	} else {
		q.turns = append(q.turns, from)
	}
}

// nextClientLocked takes out whose turn it is: one in four is a late one's while both wait.
func (q *Queue) nextClientLocked() netip.Prefix {
	line := &q.turns
	switch {
	case len(q.turns) == 0:
		line = &q.late
	case len(q.late) > 0:
		if q.given++; q.given%4 == 0 {
			line = &q.late
		}
	}
	from := (*line)[0]
	*line = (*line)[1:]
	return from
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
	q.waiting[longest][last].ready <- q.full()
	q.removeLocked(longest, last) // more are left, so its turn stays
	return true
}

// full is the error of a login without a place.
func (q *Queue) full() error {
	return fmt.Errorf("%w: all %d places are taken "+
		"(limits.max_sessions_per_ip bounds those of one address)", ErrBusy, q.places)
}

// giveUp takes w out. A turn that came at the same moment is passed on.
func (q *Queue) giveUp(from netip.Prefix, w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting[from], w); i >= 0 {
		q.removeLocked(from, i)
		if len(q.waiting[from]) == 0 {
			gone := func(p netip.Prefix) bool { return p == from }
			q.turns, q.late = slices.DeleteFunc(q.turns, gone), slices.DeleteFunc(q.late, gone)
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

// Network is what counts as one client: an IPv4 address, or an IPv6 /64, of which a single host may use every address.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Addr gives the zero Prefix
	return p
}
