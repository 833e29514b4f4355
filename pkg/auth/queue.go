package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
)

// ErrBusy is the error for a login that was not checked because too many others wait. It is not
// a failed login, and the client may try again.
var ErrBusy = errors.New("too many logins are waiting")

// A Queue limits how many logins run at one time. The others wait, and the number of places for
// them is bounded, too. The rule has three parts:
//
//   - Known clients come first, then unknown ones, then suspect ones (Standing). While logins of
//     several standings wait, every fourth turn goes to the next lower standing, so that none
//     waits for ever.
//   - Among clients of one standing, networks get turns one after the other: those of the widest
//     kind, in each of them those of the next kind, and so on down to the addresses, whose logins
//     keep their order. The kinds are /48, /56 and /64 for IPv6; /16, /24 and the address for IPv4.
//   - When all places are taken, a new login displaces one of the lowest standing, from where most
//     logins wait, and a random one where that leaves a choice. It gets no place if its own
//     standing is lower, or if it would displace a login of its own client.
//
// So a flood from however many addresses of one network takes turns and places from this network
// alone, a flood from many networks delays known clients by a turn or two, and a new client that
// tries again gets a place and a turn in the end.
type Queue struct {
	places   int                         // how many logins may wait; immutable
	standing func(netip.Prefix) Standing // immutable

	mu       sync.Mutex
	free     int                       // guarded by mu; turns that are free
	waiting  []*waiter                 // guarded by mu; in the order of arrival
	networks map[netip.Prefix]*network // guarded by mu; those with waiting logins
	clock    uint64                    // guarded by mu; counts arrivals and turns
	shared   int                       // guarded by mu; turns given while several standings waited
}

// A Standing is what is known of a client, the worst first.
type Standing int

const (
	Suspect Standing = iota // its logins have failed
	Unknown
	Known // its last login succeeded
)

// A waiter is a login that waits for its turn.
type waiter struct {
	client   netip.Addr
	standing Standing
	networks []*network // the widest first
	ready    chan error // buffered; receives nil for a turn, or an error when the place is lost
}

// A network is a set of addresses with waiting logins. Queue.mu guards it.
type network struct {
	logins int    // that wait
	last   uint64 // when it got its last turn, or else when its first login arrived
}

// NewQueue returns a queue in which so many logins run at one time and as many as places wait.
// standing returns the standing of a client, which is a Network; nil means that all are unknown.
func NewQueue(running, places int, standing func(netip.Prefix) Standing) *Queue {
	if standing == nil {
		standing = func(netip.Prefix) Standing { return Unknown }
	}
	return &Queue{
		places:   places,
		standing: standing,
		free:     running,
		networks: map[netip.Prefix]*network{},
	}
}

// Enter waits for a turn. The caller returns the turn with Leave, once. The error wraps ErrBusy
// or the cause of ctx.
func (q *Queue) Enter(ctx context.Context, client netip.Addr) error {
	w := q.wait(client)
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
		q.cancel(w)
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

// wait adds a login to the queue. If there are more logins than places then, one of them loses its
// place.
func (q *Queue) wait(client netip.Addr) *waiter {
	w := &waiter{
		client:   client,
		standing: q.standing(Network(client)),
		ready:    make(chan error, 1),
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.clock++
	for _, p := range networksOf(client) {
		if q.networks[p] == nil {
			q.networks[p] = &network{last: q.clock}
		}
		q.networks[p].logins++
		w.networks = append(w.networks, q.networks[p])
	}
	q.waiting = append(q.waiting, w)
	q.nextLocked()
	if len(q.waiting) > q.places {
		q.displaceLocked()
	}
	return w
}

// nextLocked gives the free turns to waiting logins.
func (q *Queue) nextLocked() {
	for q.free > 0 && len(q.waiting) > 0 {
		standing, next := q.nextStandingLocked(), -1
		for i, w := range q.waiting {
			if w.standing == standing && (next < 0 || compareTurns(w, q.waiting[next]) < 0) {
				next = i
			}
		}
		w := q.waiting[next]
		q.clock++
		for _, n := range w.networks {
			n.last = q.clock
		}
		q.removeLocked(next)
		q.free--
		w.ready <- nil
	}
}

// nextStandingLocked returns the standing that gets the next turn.
func (q *Queue) nextStandingLocked() Standing {
	var waiting []Standing // the best first
	for s := Known; s >= Suspect; s-- {
		if slices.ContainsFunc(q.waiting, func(w *waiter) bool { return w.standing == s }) {
			waiting = append(waiting, s)
		}
	}
	if len(waiting) > 1 {
		q.shared++
	}
	for n := q.shared; len(waiting) > 1 && n%4 == 0; n /= 4 {
		waiting = waiting[1:]
	}
	return waiting[0]
}

// displaceLocked takes a place from one login, which may be the newcomer.
func (q *Queue) displaceLocked() {
	newcomer, last := q.waiting[len(q.waiting)-1], q.lastLocked()
	w, to := q.waiting[last], ""
	if w != newcomer {
		to = fmt.Sprintf("; a login from %s has displaced this one", newcomer.client)
	}
	q.removeLocked(last)
	w.ready <- fmt.Errorf("%w: all %d places are taken%s "+
		"(limits.max_sessions_per_ip bounds those of one address)", ErrBusy, q.places, to)
}

// lastLocked returns the index of the login that loses its place.
func (q *Queue) lastLocked() int {
	newest := len(q.waiting) - 1
	last, equal := 0, 1
	for i, w := range q.waiting {
		switch c := comparePlaces(w, q.waiting[last]); {
		case i == 0:
		case c > 0:
			last, equal = i, 1
		case c == 0 && i != newest:
			if equal++; rand.IntN(equal) == 0 {
				last = i
			}
		}
	}
	w, newcomer := q.waiting[last], q.waiting[newest]
	if w.standing == newcomer.standing && slices.Equal(w.networks, newcomer.networks) {
		return newest
	}
	return last
}

// compareTurns orders two logins of one standing by their turns.
func compareTurns(v, w *waiter) int {
	return slices.CompareFunc(v.networks, w.networks,
		func(a, b *network) int { return cmp.Compare(a.last, b.last) })
}

// comparePlaces returns a positive number if v is displaced before w.
func comparePlaces(v, w *waiter) int {
	return cmp.Or(cmp.Compare(w.standing, v.standing), slices.CompareFunc(v.networks, w.networks,
		func(a, b *network) int { return cmp.Compare(a.logins, b.logins) }))
}

// cancel removes w from the queue. If w got its turn at the same moment, the turn goes to the
// next login.
func (q *Queue) cancel(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiting, w); i >= 0 {
		q.removeLocked(i)
		return
	}
	if err := <-w.ready; err == nil { // never blocks: a waiter that is not in the queue is ready
		q.free++
		q.nextLocked()
	}
}

// removeLocked removes the i-th waiting login.
func (q *Queue) removeLocked(i int) {
	for _, p := range networksOf(q.waiting[i].client) {
		if q.networks[p].logins--; q.networks[p].logins == 0 {
			delete(q.networks, p)
		}
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
}

// networksOf returns the networks of an address, the widest first.
func networksOf(a netip.Addr) []netip.Prefix {
	narrow, lengths := Network(a), []int{48, 56}
	if narrow.Addr().Is4() {
		lengths = []int{16, 24}
	}
	var networks []netip.Prefix
	for _, bits := range lengths {
		p, _ := narrow.Addr().Prefix(bits) // the zero Addr gives the zero Prefix
		networks = append(networks, p)
	}
	return append(networks, narrow)
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
