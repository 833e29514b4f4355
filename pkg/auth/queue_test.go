package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
)

var (
	addrA = netip.MustParseAddr("192.0.2.1")
	addrB = netip.MustParseAddr("198.51.100.2")
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
	if l.free != free || len(l.waiting)+len(l.networks) != 0 {
		t.Fatalf("queue left with free %d, waiting %v, networks %v",
			l.free, l.waiting, l.networks)
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

// While clients of several standings wait, every fourth turn goes to the next lower standing, and
// so on.
func TestQueuePrefersKnownClients(t *testing.T) {
	for _, c := range []struct{ standings, order string }{
		{"KKKKUUUU", "a0, K0, K1, K2, U4, K3, U5, U6, U7"},
		{"SSSSUUUU", "a0, U4, U5, U6, S0, U7, S1, S2, S3"},
		{"SUK", "a0, K2, U1, S0"},
		{"SUKKKKKKKKKKKKKKK", "a0, K2, K3, K4, U1, K5, K6, K7, S0, K8, K9, K10, K11, K12, " +
			"K13, K14, K15, K16"},
		{"SSUUUUKKKKKKKKKKKKKKK", "a0, K6, K7, K8, U2, K9, K10, K11, U3, K12, K13, K14, U4, " +
			"K15, K16, K17, S0, K18, K19, K20, S1, U5"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLine(1, 40)
			l.enter("a0", addrA)
			for i, s := range c.standings {
				l.Queue.standing = func(netip.Prefix) Standing {
					return map[rune]Standing{'S': Suspect, 'U': Unknown, 'K': Known}[s]
				}
				l.enter(fmt.Sprint(string(s), i), addrA)
			}
			for range len(c.standings) + 1 {
				l.leave()
			}
			l.want(t, c.order)
			l.wantEmpty(t, 1)
		})
	}
}

// Networks of each kind get turns one after the other, whatever the number of their addresses.
func TestQueueIsFairToNetworks(t *testing.T) {
	for name, c := range map[string]struct{ crowd, other []string }{
		"/24":        {[]string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, []string{"10.0.1.1"}},
		"/16":        {[]string{"10.0.0.1", "10.0.1.2", "10.0.2.3"}, []string{"10.1.0.1"}},
		"IPv6 /64":   {[]string{"2001:db8::1", "2001:db8::2", "2001:db8::3"}, []string{"2001:db8:0:1::1"}},
		"IPv6 /56":   {[]string{"2001:db8::1", "2001:db8:0:1::", "2001:db8:0:2::"}, []string{"2001:db8:0:100::"}},
		"IPv6 /48":   {[]string{"2001:db8::1", "2001:db8:0:100::", "2001:db8:0:200::"}, []string{"2001:db8:1::"}},
		"IPv4-in-v6": {[]string{"::ffff:10.0.0.1", "10.0.1.2", "::ffff:10.0.2.3"}, []string{"::ffff:10.1.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLine(1, 3)
				l.enter("first", netip.MustParseAddr("192.0.2.1"))
				for i, a := range c.crowd {
					l.enter(fmt.Sprint("crowd", i), netip.MustParseAddr(a))
				}
				l.enter("other", netip.MustParseAddr(c.other[0])) // takes a place of the crowd
				if len(l.order) != 2 || !strings.HasPrefix(l.order[1], "crowd") {
					t.Fatalf("turns %v", l.order)
				}
				l.leave()
				l.leave()
				if l.order[3] != "other" {
					t.Errorf("turns %v", l.order)
				}
				l.leave()
				l.leave()
				l.wantEmpty(t, 1)
			})
		})
	}
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

// One address may take every place. A login from another address then takes one of them.
func TestQueueFullOfOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 4)
		for i := range 6 {
			l.enter(fmt.Sprint("a", i), addrA)
		}
		l.want(t, "a0, a5: too many logins are waiting")
		l.enter("b0", addrB)
		if len(l.order) != 3 || !strings.HasPrefix(l.order[2], "a") || len(l.waiting) != 4 {
			t.Fatalf("turns %v, %d wait", l.order, len(l.waiting))
		}
		l.leave()
		l.leave()
		if l.order[4] != "b0" {
			t.Errorf("turns %v", l.order)
		}
		for range 3 {
			l.leave()
		}
		l.wantEmpty(t, 1)
	})
}

// In a full queue a login of the lowest standing loses its place, whatever the others' networks,
// and the newcomer gets none if its own standing is the lowest.
func TestQueueFullDisplacesTheLowestStanding(t *testing.T) {
	for _, c := range []struct {
		waiting, newcomer string
		displaced         string // the standing
	}{
		{"SSUU", "K", "S"}, {"SSUU", "U", "S"}, {"SSUU", "S", "S"},
		{"UUKK", "K", "U"}, {"UUKK", "U", "U"}, {"UUKK", "S", "new"},
		{"KKKK", "K", "K"}, {"KKKK", "U", "new"}, {"KKKK", "S", "new"},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := newLine(0, len(c.waiting))
			for i, s := range c.waiting + c.newcomer {
				l.Queue.standing = func(netip.Prefix) Standing {
					return map[rune]Standing{'S': Suspect, 'U': Unknown, 'K': Known}[s]
				}
				name := string(s)
				if i == len(c.waiting) {
					name = "new"
				}
				l.enter(name, netip.AddrFrom4([4]byte{10, byte(i), 0, 1}))
			}
			l.want(t, c.displaced+": too many logins are waiting")
			for range c.waiting {
				l.leave()
			}
			l.leave()
			l.wantEmpty(t, 1)
		})
	}
}

// The error names what an administrator can change.
func TestQueueNamesTheLimit(t *testing.T) {
	q := NewQueue(0, 1, nil)
	left, leave := context.WithCancelCause(t.Context())
	leave(errors.New("hung up"))
	if err := q.Enter(left, addrA); err.Error() != "the login waited for its turn (at most limits.login_timeout): hung up" {
		t.Error(err)
	}
	w := q.wait(addrA)
	const full = "too many logins are waiting: all 1 places are taken " +
		"(limits.max_sessions_per_ip bounds those of one address)"
	if err := q.Enter(t.Context(), addrA); err.Error() != full {
		t.Error(err)
	}
	q.wait(addrB)
	const displaced = "too many logins are waiting: all 1 places are taken; a login from " +
		"198.51.100.2 has displaced this one (limits.max_sessions_per_ip bounds those of one address)"
	if err := <-w.ready; err.Error() != displaced {
		t.Error(err)
	}
}

// When every place is taken, a login from a quiet address gets a place of an address with most
// places. A login from an address that would have more than any other gets none.
func TestQueueFullOfManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(1, 8)
		l.enter("a0", addrA)
		for i := range 8 {
			l.enter(fmt.Sprint("n", i), netip.AddrFrom4([4]byte{10, byte(i / 2), 0, 0}))
		}
		l.want(t, "a0")
		l.enter("busy", netip.AddrFrom4([4]byte{10, 1, 0, 0}))
		l.want(t, "a0, busy: too many logins are waiting")
		l.enter("quiet", addrB)
		if len(l.order) != 3 || !strings.HasPrefix(l.order[2], "n") || len(l.waiting) != 8 {
			t.Fatalf("turns %v, %d wait", l.order, len(l.waiting))
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

// Where nothing else decides, a newcomer takes a random place, so that each login that tries again
// gets a place in the end, and none is always the first to lose it.
func TestQueueFullOfSingles(t *testing.T) {
	displaced := map[string]int{}
	const rounds = 200
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			l := newLine(1, 2)
			l.enter("a0", addrA)
			l.enter("b0", addrB)
			l.enter("c0", addrC)
			l.enter("new", netip.MustParseAddr("10.0.0.1"))
			displaced[l.order[1]]++
			for range 3 {
				l.leave()
			}
			l.wantEmpty(t, 1)
		})
	}
	b, c := displaced["b0: "+ErrBusy.Error()], displaced["c0: "+ErrBusy.Error()]
	if b+c != rounds || b == 0 || c == 0 {
		t.Errorf("displaced %v", displaced)
	}
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
		if len(l.waiting) != 1 || len(l.networks) != 3 || l.networks[Network(addrA)].logins != 1 {
			t.Errorf("waiting %v, networks %v", l.waiting, l.networks)
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
		w := l.wait(addrA)
		l.enter("b0", addrB)
		l.cancel(w)
		synctest.Wait()
		l.want(t, "b0")
		l.leave()
		l.wantEmpty(t, 1)
	})
}
