package supervisor

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ftpd/pkg/auth"
)

// A registry holds every session that was admitted, whichever core serves it. It counts the
// sessions against the limits of the server. It has the address and the user of each session, so
// that the supervisor need not trust a core for them.
type registry struct {
	max, perAddress int // 0: unlimited

	mu       sync.Mutex
	sessions map[string]entry     // by id; guarded by mu, like the following
	clients  map[netip.Prefix]int // sessions of each client
	users    map[string]int       // sessions of each user, logged in or former
	named    time.Time            // when the log last named the addresses of all sessions
}

// An entry is one session.
type entry struct {
	remote      netip.AddrPort
	since       time.Time
	user        string // the logged-in user; "" before login
	former      string // a user that has logged out, while a transfer of that user runs; else ""
	left        string // the user that has logged out last while a command of that user ran
	maxSessions int    // sessions that the user may have; 0: any number
	formerMax   int    // maxSessions of former
}

// client returns the address of the client.
func (e entry) client() string { return e.remote.Addr().Unmap().String() }

// name returns the user of the session for a text in the log.
func (e entry) name() string { return cmp.Or(e.user, e.former, "nobody yet") }

// users returns the users for which max_sessions counts the session: none, one or two.
func (e entry) users() []string {
	all := []string{e.user, e.former}
	return slices.DeleteFunc(slices.Compact(all), func(user string) bool { return user == "" })
}

func newRegistry(max, perAddress int) *registry {
	return &registry{
		max:        max,
		perAddress: perAddress,
		sessions:   map[string]entry{},
		clients:    map[netip.Prefix]int{},
		users:      map[string]int{},
	}
}

// take admits a session and returns its id. Where a limit is reached, refusal is the text of a 421
// reply, and cause names the addresses or users that have the sessions.
func (r *registry) take(remote netip.AddrPort) (id, refusal, cause string) {
	client := auth.Network(remote.Addr())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.max > 0 && len(r.sessions) >= r.max {
		cause = fmt.Sprintf("limits.max_sessions = %d is reached, by sessions from %d addresses%s",
			r.max, len(r.clients), r.addressesLocked())
		return "", "Too many sessions on this server.", cause
	}
	if n := r.clients[client]; r.perAddress > 0 && n >= r.perAddress {
		sameClient := func(e entry) bool { return auth.Network(e.remote.Addr()) == client }
		cause = fmt.Sprintf("limits.max_sessions_per_ip = %d is reached by %s",
			r.perAddress, r.holdersLocked(sameClient, entry.name))
		return "", "Too many sessions from your address.", cause
	}
	for id == "" || r.has(id) {
		id = strings.ToLower(rand.Text()[:8])
	}
	r.sessions[id] = entry{remote: remote, since: time.Now()}
	r.clients[client]++
	return id, "", ""
}

func (r *registry) has(id string) bool {
	_, ok := r.sessions[id]
	return ok
}

// end deletes a session.
func (r *registry) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.sessions[id]
	if !ok {
		return
	}
	delete(r.sessions, id)
	decrement(r.clients, auth.Network(e.remote.Addr()))
	for _, user := range e.users() {
		decrement(r.users, user)
	}
}

// decrement subtracts one from a count, and deletes the count at zero.
func decrement[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] <= 0 {
		delete(counts, k)
	}
}

// get returns a session, the zero entry if there is none.
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

// list returns all sessions by their ids.
func (r *registry) list() map[string]entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.sessions)
}

// login records the user of a session. It refuses a user that has maxSessions sessions already
// (0: any number is allowed); holders then names the addresses of these sessions.
func (r *registry) login(id, user string, maxSessions int) (ok bool, holders string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, found := r.sessions[id]
	if !found {
		return true, "" // the session has ended meanwhile, and does not count
	}
	ofUser := func(e entry) bool { return slices.Contains(e.users(), user) }
	if maxSessions > 0 && !ofUser(e) && r.users[user] >= maxSessions {
		return false, r.holdersLocked(ofUser, entry.client)
	}
	e.maxSessions, e.user = maxSessions, user
	r.setLocked(id, e)
	return true, ""
}

// logout records that no user is logged in any more. If continuing is true, a command of the user
// still runs, and may be recorded later. If it is a transfer, the session counts as one of this
// user until the transfer has ended.
func (r *registry) logout(id string, continuing, transferring bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.sessions[id]
	if !ok {
		return
	}
	if continuing {
		e.left = e.user
	}
	if transferring {
		e.former, e.formerMax = e.user, e.maxSessions
	}
	e.user = ""
	r.setLocked(id, e)
}

// transferred records that a transfer has ended. If a former user has a transfer, it was this one,
// because the transfers of the next user wait for it.
func (r *registry) transferred(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.sessions[id]; ok && e.former != "" {
		e.former = ""
		r.setLocked(id, e)
	}
}

// setLocked replaces the entry of a session, and counts its users.
func (r *registry) setLocked(id string, e entry) {
	for _, user := range r.sessions[id].users() {
		decrement(r.users, user)
	}
	r.sessions[id] = e
	for _, user := range e.users() {
		r.users[user]++
	}
}

// addressesLocked returns a text that names the addresses of all sessions, at most once in a
// second, and "" otherwise. It has to read every session, and in a flood of refusals the log has
// the text already.
func (r *registry) addressesLocked() string {
	now := time.Now()
	if now.Sub(r.named) < time.Second {
		return ""
	}
	r.named = now
	return ": " + r.holdersLocked(func(entry) bool { return true }, entry.client)
}

// maxHolders bounds the addresses or users that one text names.
const maxHolders = 5

// holdersLocked returns a text that names the holders of sessions, with the number of sessions that
// each has. counts reports whether a session counts; name returns its holder. The holders with most
// sessions come first.
func (r *registry) holdersLocked(counts func(entry) bool, name func(entry) string) string {
	of := map[string]int{}
	for _, e := range r.sessions {
		if counts(e) {
			of[name(e)]++
		}
	}
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(of[b]-of[a], strings.Compare(a, b))
	})
	var text []string
	for _, n := range names[:min(len(names), maxHolders)] {
		text = append(text, fmt.Sprintf("%s (%d)", n, of[n]))
	}
	if more := len(names) - len(text); more > 0 {
		text = append(text, fmt.Sprintf("%d more", more))
	}
	return strings.Join(text, ", ")
}
