package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	addrA = netip.MustParseAddr("192.0.2.1")
	addrB = netip.MustParseAddr("192.0.2.2")
	addrC = netip.MustParseAddr("2001:db8::1")
	addrD = netip.MustParseAddr("2001:db8::2") // the same /64 as addrC
)

// A line is a queue with logins that enter it one after the other. It records the order in which
// they get their turns or lose their places.
type line struct {
	*Queue
	order   []string
	cancels map[string]context.CancelCauseFunc
}

func newLine(running, places int) *line {
	return &line{
		Queue:   NewQueue(running, places, nil),
		cancels: map[string]context.CancelCauseFunc{},
	}
}

// enter adds a login, which keeps its turn until the test calls leave.
func (l *line) enter(name string, addr netip.Addr) {
	ctx, cancel := context.WithCancelCause(context.Background())
	l.cancels[name] = cancel
	go func() {
		switch err := l.Queue.Enter(ctx, addr); {
		case errors.Is(err, ErrBusy):
			name += ": " + ErrBusy.Error()
		case err != nil:
			name += ": " + errors.Unwrap(err).Error()
		}
		l.order = append(l.order, name) // needs no lock: synctest.Wait is between any two appends
	}()
	synctest.Wait()
}

func (l *line) leave() {
	l.Queue.Leave()
	synctest.Wait()
}

func (l *line) want(t *testing.T, order string) {
	t.Helper()
	if got := strings.Join(l.order, ", "); got != order {
		t.Fatalf("turns %s\nwant  %s", got, order)
	}
}

// wantEmpty checks that the queue has so many free turns and no login.
func (l *line) wantEmpty(t *testing.T, free int) {
	t.Helper()
	if l.free != free || l.length != 0 || len(l.waiting) != 0 ||
		len(l.trusted)+len(l.suspects) != 0 {
		t.Fatalf("queue left with free %d, length %d, waiting %v, trusted %v, suspects %v",
			l.free, l.length, l.waiting, l.trusted, l.suspects)
	}
}

// A flood from one address delays a login from another address by one turn.
func TestQueueIsFairToAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 40)
		for i := range 5 {
			l.enter(fmt.Sprint("a", i), addrA)
		}
		l.enter("b0", addrB)
		l.enter("c0", addrC)
		l.enter("c1", addrD)
		l.want(t, "a0")
		for range 8 {
			l.leave()
		}
		l.want(t, "a0, a1, b0, c0, a2, c1, a3, a4")
		l.wantEmpty(t, 1)
	})
}

// Suspect addresses get one turn in four, wherever they are in the queue, and every turn when
// no other address waits.
func TestQueuePrefersTrustedAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 40)
		l.suspect = func(p netip.Prefix) bool { return p == Network(addrA) }
		for i := range 5 {
			l.enter(fmt.Sprint("a", i), addrA)
		}
		for i := range 4 {
			l.enter(fmt.Sprint("b", i), addrB)
		}
		for range 9 {
			l.leave()
		}
		l.want(t, "a0, b0, b1, b2, a1, b3, a2, a3, a4")
		l.wantEmpty(t, 1)
	})
}

func TestQueueBoundsRunningLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(2, 40)
		for i := range 3 {
			l.enter(fmt.Sprint("a", i), addrA)
		}
		l.want(t, "a0, a1")
		l.leave()
		l.want(t, "a0, a1, a2")
		l.leave()
		l.leave()
		l.wantEmpty(t, 2)
	})
}

// One address may take every place. A login from another address then takes the last of them.
func TestQueueFullOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 4)
		for i := range 6 {
			l.enter(fmt.Sprint("a", i), addrA)
		}
		l.want(t, "a0, a5: too many logins are waiting")
		l.enter("b0", addrB)
		l.want(t, "a0, a5: too many logins are waiting, a4: too many logins are waiting")
		for range 5 {
			l.leave()
		}
		l.want(t, "a0, a5: too many logins are waiting, a4: too many logins are waiting, "+
			"a1, b0, a2, a3")
		l.wantEmpty(t, 1)
	})
}

// The error names what an administrator can change.
func TestQueueNamesTheLimit(t *testing.T) {
	q := NewQueue(0, 1, nil)
	left, leave := context.WithCancelCause(t.Context())
	leave(errors.New("hung up"))
	if err := q.Enter(left, addrA); err.Error() != "the login waited for its turn (at most limits.login_timeout): hung up" {
		t.Error(err)
	}
	q.wait(Network(addrA))
	const full = "too many logins are waiting: all 1 places are taken " +
		"(limits.max_sessions_per_ip bounds those of one address)"
	if err := q.Enter(t.Context(), addrA); err.Error() != full {
		t.Error(err)
	}
}

// When every place is taken, a login from a quiet address gets the last place of the address
// with most places. A login from an address with as many places gets none.
func TestQueueFullOfManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 8)
		l.enter("a0", addrA)
		for i := range 8 {
			l.enter(fmt.Sprint("n", i), netip.AddrFrom4([4]byte{10, 0, 0, byte(i / 2)}))
		}
		l.want(t, "a0")
		l.enter("busy", netip.AddrFrom4([4]byte{10, 0, 0, 1}))
		l.want(t, "a0, busy: too many logins are waiting")
		l.enter("quiet", addrB)
		if len(l.order) != 3 || !strings.HasPrefix(l.order[2], "n") || l.length != 8 {
			t.Fatalf("turns %v, %d wait", l.order, l.length)
		}
		for range 5 {
			l.leave()
		}
		if got := l.order[len(l.order)-1]; got != "quiet" {
			t.Errorf("%s has the turn after those of four addresses", got)
		}
		for range 4 {
			l.leave()
		}
		l.wantEmpty(t, 1)
	})
}

func TestQueueFullOfSingles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 2)
		l.enter("a0", addrA)
		l.enter("b0", addrB)
		l.enter("c0", addrC)
		l.enter("late", netip.MustParseAddr("10.0.0.1"))
		l.want(t, "a0, late: too many logins are waiting")
		for range 3 {
			l.leave()
		}
		l.wantEmpty(t, 1)
	})
}

func TestQueueContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 40)
		for _, name := range []string{"a0", "a1", "a2"} {
			l.enter(name, addrA)
		}
		l.enter("b0", addrB)
		hungUp := errors.New("hung up")
		l.cancels["a1"](hungUp)
		synctest.Wait()
		l.cancels["b0"](hungUp)
		synctest.Wait()
		l.want(t, "a0, a1: hung up, b0: hung up")
		want := map[netip.Prefix]int{Network(addrA): 1}
		if !reflect.DeepEqual(lengths(l.waiting), want) || len(l.trusted) != 1 {
			t.Errorf("waiting %v, trusted %v", lengths(l.waiting), l.trusted)
		}
		l.leave()
		l.leave()
		l.want(t, "a0, a1: hung up, b0: hung up, a2")
		l.wantEmpty(t, 1)
	})
}

// If a login is cancelled at the moment when it gets its turn, the turn goes to the next login.
func TestQueueTurnAndCancelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 40)
		w := l.wait(Network(addrA))
		l.enter("b0", addrB)
		l.cancel(Network(addrA), w)
		synctest.Wait()
		l.want(t, "b0")
		l.leave()
		l.wantEmpty(t, 1)
	})
}

func lengths(waiting map[netip.Prefix][]*waiter) map[netip.Prefix]int {
	n := map[netip.Prefix]int{}
	for from, ws := range waiting {
		n[from] = len(ws)
	}
	return n
}
