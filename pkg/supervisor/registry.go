package supervisor

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"sync"
)

// A registry holds every session that was admitted, in whatever core it lives: it counts them against the limits of the server, and
// knows who each one is without asking a core.
type registry struct {
	max, perAddress int // 0: unlimited

	mu        sync.Mutex
	sessions  map[string]entry   // guarded by mu, as the following
	addresses map[netip.Addr]int // sessions of each address
}

// An entry is one session.
type entry struct {
	remote netip.AddrPort
	user   string // who logged in last; "" before
}

func newRegistry(max, perAddress int) *registry {
	return &registry{max: max, perAddress: perAddress, sessions: map[string]entry{}, addresses: map[netip.Addr]int{}}
}

// take admits a session. Where a limit is reached, refusal is the text of a 421, and cause says who holds the slots.
func (r *registry) take(remote netip.AddrPort) (id, refusal, cause string) {
	address := remote.Addr().Unmap().WithZone("")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.max > 0 && len(r.sessions) >= r.max {
		return "", "Too many sessions on this server.",
			fmt.Sprintf("limits.max_sessions = %d is reached, by sessions from %d addresses", r.max, len(r.addresses))
	}
	if n := r.addresses[address]; r.perAddress > 0 && n >= r.perAddress {
		return "", "Too many sessions from your address.",
			fmt.Sprintf("limits.max_sessions_per_ip = %d is reached", r.perAddress)
	}
	for id == "" || r.has(id) {
		id = strings.ToLower(rand.Text()[:8])
	}
	r.sessions[id] = entry{remote: remote}
	r.addresses[address]++
	return id, "", ""
}

func (r *registry) has(id string) bool {
	_, ok := r.sessions[id]
	return ok
}

// end gives a session's slot back.
func (r *registry) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.sessions[id]
	if !ok {
		return
	}
	delete(r.sessions, id)
	address := e.remote.Addr().Unmap().WithZone("")
	if r.addresses[address]--; r.addresses[address] == 0 {
		delete(r.addresses, address)
	}
}

func (r *registry) get(id string) entry {
	e, _ := r.find(id)
	return e
}

func (r *registry) find(id string) (entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.sessions[id]
	return e, ok
}

// name notes who a session logged in as.
func (r *registry) name(id, user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.sessions[id]; ok {
		e.user = user
		r.sessions[id] = e
	}
}
