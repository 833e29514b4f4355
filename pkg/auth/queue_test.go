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

// A line is several logins that enter a queue one after the other and note the order of their turns.
type line struct {
	*Queue
	order []string
	left  map[string]context.CancelCauseFunc
}

func newLine(working, places int) *line {
	return &line{Queue: NewQueue(working, places, nil), left: map[string]context.CancelCauseFunc{}}
}

// enter adds a login, which keeps its turn until the test calls leave.
func (l *line) enter(name string, addr netip.Addr) {
	ctx, cancel := context.WithCancelCause(context.Background())
	l.left[name] = cancel
	go func() {
		switch err := l.Queue.Enter(ctx, addr); {
		case errors.Is(err, ErrBusy):
			name += ": " + ErrBusy.Error()
		case err != nil:
			name += ": " + errors.Unwrap(err).Error()
		}
		l.order = append(l.order, name) // one goroutine runs at a time: synctest.Wait is between any two
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

// wantEmpty checks that nothing is left behind in the queue's bookkeeping.
func (l *line) wantEmpty(t *testing.T, free int) {
	t.Helper()
	if l.free != free || l.length != 0 || len(l.waiting) != 0 || len(l.turns)+len(l.late) != 0 {
		t.Fatalf("queue left with free %d, length %d, waiting %v, turns %v", l.free, l.length, l.waiting, l.turns)
	}
}

// A flood from one address delays another's login by one turn.
func TestQueueGoesRoundTheAddresses(t *testing.T) {
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

// Addresses that have failed before get one turn in four, wherever they stand, and all of them when nobody else waits.
func TestQueuePrefersTheUnsuspected(t *testing.T) {
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

func TestQueueBoundsWork(t *testing.T) {
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

// One address may fill every place, until another one's login comes: that takes the last of them.
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
		l.want(t, "a0, a5: too many logins are waiting, a4: too many logins are waiting, a1, b0, a2, a3")
		l.wantEmpty(t, 1)
	})
}

// The log names what an administrator can change.
func TestQueueNamesTheLimit(t *testing.T) {
	q := NewQueue(0, 1, nil)
	left, leave := context.WithCancelCause(t.Context())
	leave(errors.New("hung up"))
	if err := q.Enter(left, addrA); err.Error() != "the login waited for its turn: hung up" {
		t.Error(err)
	}
	q.wait(Network(addrA))
	const full = "too many logins are waiting: all 1 places are taken (limits.max_sessions_per_ip bounds those of one address)"
	if err := q.Enter(t.Context(), addrA); err.Error() != full {
		t.Error(err)
	}
}

// When every place is taken, the newcomer of a quiet address gets the last one of the busiest; one that is busy itself does not.
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
			t.Errorf("after four addresses' turns comes %s", got)
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

func TestQueueLeftByWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 40)
		for _, name := range []string{"a0", "a1", "a2"} {
			l.enter(name, addrA)
		}
		l.enter("b0", addrB)
		gone := errors.New("hung up")
		l.left["a1"](gone)
		synctest.Wait()
		l.left["b0"](gone)
		synctest.Wait()
		l.want(t, "a0, a1: hung up, b0: hung up")
		if want := map[netip.Prefix]int{Network(addrA): 1}; !reflect.DeepEqual(lengths(l.waiting), want) || len(l.turns) != 1 {
			t.Errorf("waiting %v, turns %v", lengths(l.waiting), l.turns)
		}
		l.leave()
		l.leave()
		l.want(t, "a0, a1: hung up, b0: hung up, a2")
		l.wantEmpty(t, 1)
	})
}

// A turn that comes at the moment when its owner gives up goes to the next.
func TestQueueTurnAndGivingUpTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 40)
		w := l.wait(Network(addrA))
		l.enter("b0", addrB)
		l.giveUp(Network(addrA), w)
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
