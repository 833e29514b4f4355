package events

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// The first connection of a client is logged, then the tenth, the hundredth and so on. Each refused
// connection is logged.
func TestTally(t *testing.T) {
	var c Tally
	record := func(address, client string, reply int) *Record {
		return &Record{
			Event:  Event{Kind: NotResumed, Client: client, Reply: reply},
			Remote: netip.AddrPortFrom(netip.MustParseAddr(address), 1000),
		}
	}
	var logged []int
	for range 1234 {
		if r := record("192.0.2.1", "a", 0); c.Add(r) {
			logged = append(logged, r.Count)
		}
	}
	if !slices.Equal(logged, []int{1, 10, 100, 1000}) {
		t.Errorf("logged at %v", logged)
	}
	if r := record("::ffff:192.0.2.1", "a", 522); !c.Add(r) || r.Count != 1235 {
		t.Errorf("a refusal is number %d", r.Count)
	}
	others := []*Record{record("192.0.2.1", "b", 0), record("192.0.2.2", "a", 0)}
	for _, r := range others {
		if !c.Add(r) || r.Count != 1 {
			t.Errorf("another client is number %d", r.Count)
		}
	}
	for _, session := range []string{"one", "two"} {
		r := record("192.0.2.1", "a", 0)
		r.Session = session
		if c.Add(r) {
			t.Error("a session that never resumed is counted by itself")
		}
		r.ResumedBefore = true
		if !c.Add(r) || r.Count != 1 || c.Add(r) {
			t.Errorf("the first of session %s is number %d", session, r.Count)
		}
	}
	if r := record("192.0.2.3", strings.Repeat("x", 1<<16), 0); !c.Add(r) || len(r.Client) != maxName {
		t.Errorf("a name of %d bytes", len(r.Client))
	}
}

func TestTallyIsBounded(t *testing.T) {
	var c Tally
	for i := range 10 * maxPeers {
		if !c.Add(&Record{Event: Event{Client: fmt.Sprint(i)}}) {
			t.Fatalf("client %d is not logged", i)
		}
		if len(c.counts) > maxPeers {
			t.Fatalf("%d clients are counted", len(c.counts))
		}
	}
}
