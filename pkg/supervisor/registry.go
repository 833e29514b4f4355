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

// A registry holds every session that was admitted, in whatever core it lives: it counts them against the limits of the server, and
// knows who each one is without asking a core.
type registry struct {
	max, perAddress int // 0: unlimited

	mu       sync.Mutex
	sessions map[string]entry     // guarded by mu, as the following
	clients  map[netip.Prefix]int // sessions of each client
	users    map[string]int       // sessions of each user who is logged in
	named    time.Time            // when the log was last told who has the sessions
}

// An entry is one session.
type entry struct {
	remote      netip.AddrPort
	since       time.Time
	user        string // who is logged in; "" is nobody
	former      string // who has logged out, while a transfer of theirs goes on; "": none does
	maxSessions int    // sessions that the user may have; 0: any number
}

func (e entry) client() string { return e.remote.Addr().Unmap().String() }

func (e entry) name() string { return cmp.Or(e.user, e.former, "nobody yet") }

// users are those of whose sessions this is one.
func (e entry) users() []string {
	all := []string{e.user, e.former}
	return slices.DeleteFunc(slices.Compact(all), func(user string) bool { return user == "" })
}

func newRegistry(max, perAddress int) *registry {
	return &registry{max: max, perAddress: perAddress, sessions: map[string]entry{}, clients: map[netip.Prefix]int{}, users: map[string]int{}}
}

// take admits a session. Where a limit is reached, refusal is the text of a 421, and cause says who holds the slots.
func (r *registry) take(remote netip.AddrPort) (id, refusal, cause string) {
	client := auth.Network(remote.Addr())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.max > 0 && len(r.sessions) >= r.max {
		return "", "Too many sessions on this server.",
			fmt.Sprintf("limits.max_sessions = %d is reached, by sessions from %d addresses%s", r.max, len(r.clients),
				r.onceInASecondLocked(func() string { return ": " + r.holdersLocked(func(entry) bool { return true }, entry.client) }))
	}
	if n := r.clients[client]; r.perAddress > 0 && n >= r.perAddress {
		return "", "Too many sessions from your address.",
			fmt.Sprintf("limits.max_sessions_per_ip = %d is reached by %s", r.perAddress, r.holdersLocked(func(e entry) bool { return auth.Network(e.remote.Addr()) == client }, entry.name))
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

// end gives a session's slot back.
func (r *registry) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.sessions[id]
	if !ok {
		return
	}
	delete(r.sessions, id)
	less(r.clients, auth.Network(e.remote.Addr()))
	for _, user := range e.users() {
		less(r.users, user)
	}
}

// less takes one off a count, and forgets it at zero.
func less[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] <= 0 {
		delete(counts, k)
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

// list is every session.
func (r *registry) list() map[string]entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.sessions)
}

// login notes who a session logged in as, unless as many sessions of that user are there as may be (0: any number); held then says by
// whom.
func (r *registry) login(id, user string, most int) (ok bool, held string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, there := r.sessions[id]
	if !there {
		return true, "" // it has ended meanwhile, and counts no more
	}
	if most > 0 && !slices.Contains(e.users(), user) && r.users[user] >= most {
		return false, r.holdersLocked(func(e entry) bool { return slices.Contains(e.users(), user) }, entry.client)
	}
	e.maxSessions, e.user = most, user
	r.becomesLocked(id, e)
	return true, ""
}

// logout notes that nobody is logged in any more. Where a transfer goes on, the session stays one of the user's until it is over.
func (r *registry) logout(id string, goesOn bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.sessions[id]
	if !ok {
		return
	}
	if goesOn {
		e.former = e.user
	}
	e.user = ""
	r.becomesLocked(id, e)
}

// transferred notes that a transfer is over. It was that of a user who has logged out meanwhile, if there is one: those of the next user
// wait for it.
func (r *registry) transferred(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.sessions[id]; ok && e.former != "" {
		e.former = ""
		r.becomesLocked(id, e)
	}
}

func (r *registry) becomesLocked(id string, e entry) {
	for _, user := range r.sessions[id].users() {
		less(r.users, user)
	}
	r.sessions[id] = e
	for _, user := range e.users() {
		r.users[user]++
	}
}

// onceInASecondLocked spares a flood of refusals the text that the log has just got; it costs a look at every session.
func (r *registry) onceInASecondLocked(text func() string) string {
	if now := time.Now(); now.Sub(r.named) >= time.Second {
		r.named = now
		return text()
	}
	return ""
}

// maxHolders is how many are named of those who hold the slots.
const maxHolders = 5

// holdersLocked names those with most sessions, of the sessions that count.
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
