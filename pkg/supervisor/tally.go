package supervisor

import (
	"net/netip"
	"sync"

	"ftpd/pkg/events"
)

// A tally counts data connections by client, so that the log names each client and not each connection.
type tally struct {
	mu     sync.Mutex
	counts map[peer]int // guarded by mu
}

// A peer is a client as far as the server can tell clients apart.
type peer struct {
	address netip.Addr
	client  string // what it calls itself, cut to maxName
}

// Strangers choose addresses and names, so both are bounded here.
const (
	maxPeers = 1000
	maxName  = 64
)

// add counts one record, and says whether it is worth a line: the first of its client, the tenth, the hundredth and so on, and each one
// that was refused. A tally that is full begins anew, and may then tell of a client again.
func (t *tally) add(r *events.Record) bool {
	p := peer{r.Remote.Addr().Unmap().WithZone(""), r.Client[:min(len(r.Client), maxName)]}
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
