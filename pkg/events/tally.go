package events

import (
	"net/netip"
	"sync"
)

// A Tally counts data connections by client, so that the log has a line for each client and not for
// each connection.
type Tally struct {
	mu     sync.Mutex
	counts map[peer]int // guarded by mu
}

// A peer identifies a client program. A session whose data connections resumed before is counted by
// itself: the neighbour of a client that was logged once would not be logged.
type peer struct {
	address netip.Addr
	client  string // the name that the client has sent, cut to maxName
	session string // "" for all sessions without a data connection that resumed
}

// Clients that are not trusted choose addresses and names, so both are bounded.
const (
	maxPeers = 1000
	maxName  = 64
)

// Add counts one record, and sets its Count. It reports whether the record is to be logged: the
// first of its client, the tenth, the hundredth and so on, and each connection that was refused. A
// tally that is full deletes all counts, so that clients may be logged again.
func (t *Tally) Add(r *Record) bool {
	p := peer{
		address: r.Remote.Addr().Unmap().WithZone(""), client: r.Client[:min(len(r.Client), maxName)],
	}
	if r.ResumedBefore {
		p.session = r.Session
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.counts[p]; !known && len(t.counts) >= maxPeers || t.counts == nil {
		t.counts = map[peer]int{}
	}
	t.counts[p]++
	r.Client, r.Count = p.client, t.counts[p]
	return r.Reply != 0 || powerOfTen(r.Count)
}

func powerOfTen(n int) bool {
	for n%10 == 0 {
		n /= 10
	}
	return n == 1
}
