package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// ErrBusy is the error for a login that was not checked because too many others wait. It is not
// a failed login, and the client may try again.
var ErrBusy = errors.New("too many logins are waiting")

// A Queue limits how many logins run at one time. The others wait, and the number of places for
// them is bounded, too. The queue is fair to addresses, which are those of Network:
//
//   - Addresses get turns one after the other, so that an address with many logins delays a
//     login from another address by at most one turn. Logins from one address get their turns in
//     the order in which they arrived.
//   - When all places are taken, a new login takes the last place of the address with most
//     places.
//   - Suspect addresses get a quarter of the turns while others wait.
//
// So a flood of logins, from however many addresses, delays a login from a quiet address by a
// turn or two.
type Queue struct {
	places  int                     // how many logins may wait; immutable
	suspect func(netip.Prefix) bool // immutable

	mu       sync.Mutex
	free     int                        // guarded by mu; turns that are free
	length   int                        // guarded by mu; number of waiting logins
	waiting  map[netip.Prefix][]*waiter // guarded by mu; no list is empty
	suspects []netip.Prefix             // guarded by mu; the suspect keys of waiting, in order
	trusted  []netip.Prefix             // guarded by mu; the other keys of waiting, in order
	shared   int                        // guarded by mu; turns given while both lists had addresses
}

// A waiter is a login that waits for its turn.
type waiter struct {
	ready chan error // buffered; receives nil for a turn, or an error when the place is lost
}

// NewQueue returns a queue in which so many logins run at one time and as many as places wait.
// suspect reports whether an address has failed before; nil suspects none.
func NewQueue(running, places int, suspect func(netip.Prefix) bool) *Queue {
	if suspect == nil {
		suspect = func(netip.Prefix) bool { return false }
	}
	return &Queue{
		places:  places,
		suspect: suspect,
		free:    running,
		waiting: map[netip.Prefix][]*waiter{},
	}
}

// Enter waits for a turn. The caller returns the turn with Leave, once. The error wraps ErrBusy
// or the cause of ctx.
func (q *Queue) Enter(ctx context.Context, client netip.Addr) error {
	from := Network(client)
	w := q.wait(from)
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
		q.cancel(from, w)
		return fmt.Errorf("the login waited for its turn (at most limits.login_timeout): %w",
			context.Cause(ctx))
	}
}

// Leave returns a turn, which goes to the next waiting login.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	q.nextLocked()
}

// wait adds a login to the queue. If there is no place for it, the returned waiter is ready with
// an error.
func (q *Queue) wait(from netip.Prefix) *waiter {
	w := &waiter{ready: make(chan error, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	ahead := len(q.waiting[from])
	if q.free == 0 && q.length >= q.places && !q.evictLocked(ahead+1) {
		w.ready <- q.full()
		return w
	}
	if ahead == 0 {
		q.appendLocked(from)
	}
	q.waiting[from] = append(q.waiting[from], w)
	q.length++
	q.nextLocked()
	return w
}

// nextLocked gives the free turns to waiting logins.
func (q *Queue) nextLocked() {
	for q.free > 0 && len(q.waiting) > 0 {
		from := q.nextClientLocked()
		w := q.waiting[from][0]
		q.removeLocked(from, 0)
		if len(q.waiting[from]) > 0 {
			q.appendLocked(from)
		}
		q.free--
		w.ready <- nil
	}
}

// appendLocked adds an address at the end of its list.
func (q *Queue) appendLocked(from netip.Prefix) {
	if q.suspect(from) {
		q.suspects = append(q.suspects, from)
	} else {
		q.trusted = append(q.trusted, from)
	}
}

// nextClientLocked removes the address that gets the next turn from its list, and returns it.
// While both lists have addresses, every fourth turn goes to a suspect address.
func (q *Queue) nextClientLocked() netip.Prefix {
	list := &q.trusted
	switch {
	case len(q.trusted) == 0:
		list = &q.suspects
	case len(q.suspects) > 0:
		if q.shared++; q.shared%4 == 0 {
			list = &q.suspects
		}
	}
	from := (*list)[0]
	*list = (*list)[1:]
	return from
}

// evictLocked frees the last place of the address with most places, if that has more than own
// of them. It reports whether it freed a place.
func (q *Queue) evictLocked(own int) bool {
	var longest netip.Prefix
	for from, ws := range q.waiting {
		if len(ws) > own && len(ws) > len(q.waiting[longest]) {
			longest = from
		}
	}
	last := len(q.waiting[longest]) - 1
	if last < 0 {
		return false
	}
	q.waiting[longest][last].ready <- q.full()
	q.removeLocked(longest, last) // other places are left, so the address stays in its list
	return true
}

// full returns the error for a login without a place.
func (q *Queue) full() error {
	return fmt.Errorf("%w: all %d places are taken "+
		"(limits.max_sessions_per_ip bounds those of one address)", ErrBusy, q.places)
}

// cancel removes w from the queue. If w got its turn at the same moment, the turn goes to the
// next login.
func (q *Queue) cancel(from netip.Prefix, w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting[from], w); i >= 0 {
		q.removeLocked(from, i)
		if len(q.waiting[from]) == 0 {
			isFrom := func(p netip.Prefix) bool { return p == from }
			q.trusted = slices.DeleteFunc(q.trusted, isFrom)
			q.suspects = slices.DeleteFunc(q.suspects, isFrom)
		}
		return
	}
	if err := <-w.ready; err == nil { // never blocks: a waiter that is not in the queue is ready
		q.free++
		q.nextLocked()
	}
}

// removeLocked removes the i-th waiter of an address. The caller keeps the lists of addresses
// consistent.
func (q *Queue) removeLocked(from netip.Prefix, i int) {
	q.length--
	q.waiting[from] = slices.Delete(q.waiting[from], i, i+1)
	if len(q.waiting[from]) == 0 {
		delete(q.waiting, from)
	}
}

// Network returns the addresses that count as one client: a single IPv4 address, or an IPv6
// /64, because one host may use all addresses of a /64.
func Network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Addr gives the zero Prefix
	return p
}
