package admission

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
	"ftpd/pkg/config"
)

// A Registry holds every session that was admitted, whichever core serves it. It counts the
// sessions against the limits of the server. It has the address and the user of each session, so
// that the supervisor need not trust a core for them.
type Registry struct {
	limits config.Limits

	mu        sync.Mutex
	sessions  map[string]Session   // by id; guarded by mu, like the following
	clients   map[netip.Prefix]int // sessions of each client
	users     map[string]int       // sessions of each user, logged in or former
	strangers *strangers           // the sessions without a user
	leaving   int                  // displaced sessions that have not ended yet
	displaced []Displaced          // what the next call of Displaced returns
}

// A Session is one session of a client, as the Registry holds it.
type Session struct {
	Remote      netip.AddrPort
	Since       time.Time
	User        string // the logged-in user; "" before login
	Former      string // a user that has logged out, while a transfer of that user runs; else ""
	Left        string // the user that has logged out last while a command of that user ran
	MaxSessions int    // sessions that the user may have; 0: any number
	FormerMax   int    // MaxSessions of Former
	LoggedIn    bool   // a user has logged in at some time

	// Unrecorded is set while the log has no record of the connection, because the client has
	// others. The record follows if a user logs in.
	Unrecorded bool

	checking  bool // a password is being checked
	displaced bool // another client has taken the place of this session, which is about to end
}

// isStranger reports whether no user is logged in, and no password is being checked. While a
// transfer of a former user runs, the session is not a stranger.
func (s Session) isStranger() bool {
	return s.User == "" && s.Former == "" && !s.checking && !s.displaced
}

// client returns the address of the client.
func (s Session) client() string { return s.Remote.Addr().Unmap().String() }

// name returns the user of the session for a text in the log.
func (s Session) name() string { return cmp.Or(s.User, s.Former, "nobody yet") }

// Users returns the users for which max_sessions counts the session: none, one or two.
func (s Session) Users() []string {
	all := []string{s.User, s.Former}
	return slices.DeleteFunc(slices.Compact(all), func(user string) bool { return user == "" })
}

// Matches reports whether target names the session: its id, its user or its address, which may be
// without its zone.
func (s Session) Matches(id, target string) bool {
	if target == "" {
		return false
	}
	remote := s.Remote.Addr().Unmap()
	address, err := netip.ParseAddr(target)
	return id == target || slices.Contains(s.Users(), target) || err == nil &&
		(remote == address.Unmap() || remote.WithZone("") == address.Unmap())
}

// NewRegistry returns a Registry with the limits on sessions that are in l.
func NewRegistry(l config.Limits) *Registry {
	return &Registry{
		limits:    l,
		sessions:  map[string]Session{},
		clients:   map[netip.Prefix]int{},
		users:     map[string]int{},
		strangers: newStrangers(),
	}
}

// A Refusal is why a session is not admitted. The zero Refusal admits it.
type Refusal struct {
	Text  string        // of the 421 reply
	Cause func() string // for the log; names the addresses or users that have the sessions
}

// Take admits a session and returns its id, or a refusal where a limit is reached. It may displace
// others: see Displaced.
func (r *Registry) Take(remote netip.AddrPort) (id string, refused Refusal) {
	client := auth.Network(remote.Addr())
	r.mu.Lock()
	defer r.mu.Unlock()
	if max := r.limits.MaxSessions; max > 0 && len(r.sessions) >= max {
		return "", Refusal{"Too many sessions on this server.", r.allTaken}
	}
	if max := r.limits.MaxSessionsPerIP; max > 0 && r.clients[client] >= max {
		cause := func() string { return r.takenBy(client) }
		return "", Refusal{"Too many sessions from your address.", cause}
	}
	r.displaceLocked()
	for id == "" || r.has(id) {
		id = strings.ToLower(rand.Text()[:8])
	}
	r.clients[client]++
	r.setLocked(id, Session{Remote: remote, Since: time.Now()})
	return id, Refusal{}
}

// allTaken returns a text that names the addresses of all sessions. It has to read every session.
func (r *Registry) allTaken() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("limits.max_sessions = %d is reached, by sessions from %d addresses: %s",
		r.limits.MaxSessions, len(r.clients),
		r.holdersLocked(func(Session) bool { return true }, Session.client))
}

// takenBy returns a text that names the users of a client's sessions. It has to read every session.
func (r *Registry) takenBy(client netip.Prefix) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	sameClient := func(s Session) bool { return auth.Network(s.Remote.Addr()) == client }
	return fmt.Sprintf("limits.max_sessions_per_ip = %d is reached by %s",
		r.limits.MaxSessionsPerIP, r.holdersLocked(sameClient, Session.name))
}

func (r *Registry) has(id string) bool {
	_, ok := r.sessions[id]
	return ok
}

// End deletes a session.
func (r *Registry) End(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sessions[id]
	if !ok {
		return
	}
	delete(r.sessions, id)
	r.strangers.remove(id)
	if s.displaced {
		r.leaving--
	}
	decrement(r.clients, auth.Network(s.Remote.Addr()))
	for _, user := range s.Users() {
		decrement(r.users, user)
	}
}

// decrement subtracts one from a count, and deletes the count at zero.
func decrement[K comparable](counts map[K]int, k K) {
	if counts[k]--; counts[k] <= 0 {
		delete(counts, k)
	}
}

// Get returns a session, the zero Session if there is none.
func (r *Registry) Get(id string) Session {
	s, _ := r.Find(id)
	return s
}

// Find returns a session, and reports whether there is one with this id.
func (r *Registry) Find(id string) (Session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sessions[id]
	return s, ok
}

// List returns all sessions by their ids.
func (r *Registry) List() map[string]Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.sessions)
}

// Login records the user of a session. It refuses a user that has maxSessions sessions already
// (0: any number is allowed); holders then names the addresses of these sessions.
func (r *Registry) Login(id, user string, maxSessions int) (ok bool, holders string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, found := r.sessions[id]
	if !found {
		return true, "" // the session has ended meanwhile, and does not count
	}
	ofUser := func(s Session) bool { return slices.Contains(s.Users(), user) }
	if maxSessions > 0 && !ofUser(s) && r.users[user] >= maxSessions {
		return false, r.holdersLocked(ofUser, Session.client)
	}
	s.MaxSessions, s.User, s.LoggedIn = maxSessions, user, true
	r.setLocked(id, s)
	return true, ""
}

// Logout records that no user is logged in any more. If continuing is true, a command of the user
// still runs, and may be recorded later. If it is a transfer, the session counts as one of this
// user until the transfer has ended.
func (r *Registry) Logout(id string, continuing, transferring bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sessions[id]
	if !ok {
		return
	}
	if continuing {
		s.Left = s.User
	}
	if transferring {
		s.Former, s.FormerMax = s.User, s.MaxSessions
	}
	s.User = ""
	r.setLocked(id, s)
}

// SetUnrecorded sets Unrecorded of a session.
func (r *Registry) SetUnrecorded(id string, unrecorded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.sessions[id]; ok {
		s.Unrecorded = unrecorded
		r.sessions[id] = s
	}
}

// Transferred records that a transfer has ended. If a former user has a transfer, it was this one,
// because the transfers of the next user wait for it.
func (r *Registry) Transferred(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.sessions[id]; ok && s.Former != "" {
		s.Former = ""
		r.setLocked(id, s)
	}
}

// setLocked adds or replaces a session, and counts its users.
func (r *Registry) setLocked(id string, s Session) {
	for _, user := range r.sessions[id].Users() {
		decrement(r.users, user)
	}
	r.sessions[id] = s
	for _, user := range s.Users() {
		r.users[user]++
	}
	switch {
	case !s.isStranger():
		r.strangers.remove(id)
	case !r.strangers.has(id):
		r.strangers.add(id, s.Remote.Addr())
	}
}

// maxHolders bounds the addresses or users that one text names.
const maxHolders = 5

// holdersLocked returns a text that names the holders of sessions, with the number of sessions that
// each has. counts reports whether a session counts; name returns its holder. The holders with most
// sessions come first.
func (r *Registry) holdersLocked(counts func(Session) bool, name func(Session) string) string {
	of := map[string]int{}
	for _, s := range r.sessions {
		if counts(s) {
			of[name(s)]++
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
