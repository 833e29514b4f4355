package admission

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"ftpd/pkg/config"
)

// take admits a session from an address, and returns its id and the ids that it displaces.
func take(t *testing.T, r *Registry, from string) (id string, displaced []string) {
	t.Helper()
	id, refused := r.Take(netip.AddrPortFrom(netip.MustParseAddr(from), 1000))
	if refused.Text != "" {
		t.Fatalf("%s is refused: %s", from, refused.Cause())
	}
	for _, d := range r.Displaced() {
		displaced = append(displaced, d.ID)
		r.End(d.ID)
	}
	return id, displaced
}

// A client takes the place of the longest silent session in the network that has most of them.
func TestDisplacement(t *testing.T) {
	for _, test := range []struct {
		name      string
		sessions  []string // each beyond the fourth displaces one
		displaced []int    // numbers of sessions, in order
	}{
		{"one address has most",
			[]string{"192.0.2.1", "198.51.100.1", "198.51.100.1", "192.0.2.2", "203.0.113.1",
				"203.0.113.2"}, []int{0, 1}},
		{"a network of many addresses has most",
			[]string{"203.0.113.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4",
				"192.0.2.5"}, []int{1, 2}},
		{"an address in that network has most",
			[]string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "203.0.113.1", "203.0.113.2"},
			[]int{1}},
		{"a /16 has most",
			[]string{"203.0.113.1", "10.1.1.1", "10.1.2.1", "10.1.3.1", "198.51.100.1"}, []int{1}},
		{"a /32 has most",
			[]string{"203.0.113.1", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1",
				"198.51.100.1"}, []int{1}},
		{"a /48 has most",
			[]string{"2001:db8:1::1", "2001:db8:2:1::1", "2001:db8:2:2::1", "2001:db8:2:100::1",
				"2001:db8:1:1::1"}, []int{1}},
		{"a /56 of it has most",
			[]string{"2001:db8:2:100::1", "2001:db8:2:1::1", "2001:db8:2:2::1", "192.0.2.1",
				"192.0.2.2"}, []int{1}},
		{"a /64 of it has most",
			[]string{"2001:db8:2:1::1", "2001:db8:2:2::1", "2001:db8:2:2::2", "192.0.2.1",
				"192.0.2.2"}, []int{1}},
		{"all have one: the oldest goes",
			[]string{"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "233.252.0.1",
				"192.0.2.1"}, []int{0, 1}},
		{"the same address at a dual-stack listener",
			[]string{"203.0.113.1", "192.0.2.1", "::ffff:192.0.2.1", "198.51.100.1",
				"203.0.113.2"}, []int{1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := NewRegistry(config.Limits{MaxUnauthenticated: 4})
			var ids []string
			var displaced []int
			for _, from := range test.sessions {
				id, gone := take(t, r, from)
				ids = append(ids, id)
				for _, g := range gone {
					displaced = append(displaced, slices.Index(ids, g))
				}
			}
			if !slices.Equal(displaced, test.displaced) {
				t.Errorf("displaced %v, want %v", displaced, test.displaced)
			}
		})
	}
}

// Sessions of logged-in users, and those whose password is checked, are not displaced.
func TestNotDisplaced(t *testing.T) {
	const from = "192.0.2.1"
	r := NewRegistry(config.Limits{MaxUnauthenticated: 2})
	user, _ := take(t, r, from)
	r.BeginCheck(user)
	checked, _ := take(t, r, from)
	r.BeginCheck(checked)
	r.Login(user, "alice", 0)
	r.EndCheck(user)
	first, _ := take(t, r, from)
	if _, displaced := take(t, r, from); displaced != nil {
		t.Fatalf("displaced %v", displaced)
	}
	r.EndCheck(checked) // a wrong password: it is silent from now on
	if _, displaced := take(t, r, from); len(displaced) != 2 || displaced[0] != first ||
		slices.Contains(displaced, checked) {
		t.Errorf("displaced %v", displaced)
	}
	r.Logout(user, false, true) // a transfer goes on
	take(t, r, from)
	if _, displaced := take(t, r, from); slices.Contains(displaced, user) {
		t.Error("a transfer was displaced")
	}
}

// A displaced session can no longer log in, and counts as a session until it has ended.
func TestDisplacedSession(t *testing.T) {
	r := NewRegistry(config.Limits{MaxSessions: 2, MaxUnauthenticated: 1})
	remote := netip.MustParseAddrPort("192.0.2.1:1000")
	first, _ := r.Take(remote)
	r.Take(remote)
	d := r.Displaced()
	if len(d) != 1 || d[0].ID != first || d[0].Remote != remote {
		t.Fatalf("displaced %v", d)
	}
	if _, ok := r.BeginCheck(first); ok {
		t.Error("it may log in")
	}
	if _, refused := r.Take(remote); refused.Text == "" || len(r.Displaced()) != 0 {
		t.Error("it does not count")
	}
	r.End(first)
	if _, refused := r.Take(remote); refused.Text != "" || r.leaving != 1 {
		t.Errorf("after its end: %q, %d leave", refused.Text, r.leaving)
	}
}

// "auto" leaves a quarter of the free sessions to clients that log in, and has no effect on a
// server with few sessions.
func TestAutomaticLimit(t *testing.T) {
	for _, test := range []struct{ max, users, want int }{
		{1000, 0, 750}, {1000, 400, 450}, {1000, 999, 10}, {2000, 0, 1500}, {10, 0, 10}, {0, 0, 0},
	} {
		r := NewRegistry(config.Limits{MaxSessions: test.max, MaxUnauthenticated: config.Auto})
		for i := range test.users {
			id, _ := take(t, r, "192.0.2.1")
			r.Login(id, fmt.Sprint("user", i), 0)
		}
		if got := r.strangersAllowedLocked(); got != test.want {
			t.Errorf("of %d sessions, %d of users: %d, want %d", test.max, test.users, got, test.want)
		}
	}
}

// After any sequence of changes the tree agrees with a plain count.
func TestStrangersTree(t *testing.T) {
	s := newStrangers()
	of := map[string]netip.Addr{}
	for step := range 20_000 {
		if len(of) > 0 && rand.IntN(5) < 2 {
			for id := range of {
				s.remove(id)
				delete(of, id)
				break
			}
		} else {
			id := fmt.Sprint(step)
			of[id] = netip.AddrFrom4([4]byte{192, 0, byte(rand.IntN(50)), byte(rand.IntN(4))})
			if step%2 == 0 {
				of[id] = netip.AddrFrom16([16]byte{0: 0x20, 5: byte(rand.IntN(9)),
					6: byte(rand.IntN(3)), 7: byte(rand.IntN(3))})
			}
			s.add(id, of[id])
		}
		if step%500 == 0 && len(of) > 0 {
			checkTree(t, s, of)
		}
	}
	for id := range of {
		s.remove(id)
	}
	if len(s.root.subnets) != 0 || len(s.root.largest) != 0 || s.count() != 0 {
		t.Error("something is left")
	}
}

func checkTree(t *testing.T, s *strangers, of map[string]netip.Addr) {
	t.Helper()
	sizes, most := map[netip.Prefix]int{}, 0
	for _, a := range of {
		p, _ := a.Prefix(levels[a.Is4()][0])
		sizes[p]++
		most = max(most, sizes[p])
	}
	c := s.largest()
	if c.sessions != most || sizes[c.network] != most || !c.network.Contains(of[c.silent]) {
		t.Fatalf("%v has %d sessions, and not %d", c.network, sizes[c.network], most)
	}
}
