package supervisor

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ftpd/pkg/admin"
	"ftpd/pkg/admission"
	"ftpd/pkg/auth"
	"ftpd/pkg/monitor"
)

// A control implements admin.Service, which the admin socket serves. It describes each session by
// the supervisor's own record and by the state that its core reports.
type control struct {
	Options
	handler *handler
	started time.Time
}

// A runningCore is a core in this process or in another one.
type runningCore interface {
	Look(context.Context) []monitor.SessionState
	Kick(session string) error
	// Displace ends a session if the core has it, because another client takes its place.
	Displace(session string) error
}

// serveAdmin opens the admin socket and serves it. Where the socket cannot be opened, it logs a
// warning and the service runs without it. The caller calls close at the end.
func serveAdmin(o Options, h *handler) (close func()) {
	group := adminGroup()
	l, err := admin.Listen(o.Config.Admin.Socket, group)
	if err != nil {
		o.Log.Warn().Err(err).Msg("ftpd who and ftpd kick cannot reach this service: " +
			"set admin.socket to a path that it may make")
		return func() {}
	}
	c := &control{Options: o, handler: h, started: time.Now()}
	go admin.Serve(l, group, c) // ends with the listener
	return func() { l.Close() }
}

// adminGroup returns the id of the group for the admin socket, which members of the group may use.
// It is negative where the group does not exist, or where this process is not root and cannot give
// a file to the group.
func adminGroup() int {
	g, err := user.LookupGroup(admin.Group)
	if err != nil || os.Geteuid() != 0 {
		return -1
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1
	}
	return gid
}

// Who implements admin.Service.
func (c *control) Who(ctx context.Context) admin.Report {
	now := time.Now()
	r := admin.Report{
		Version:  c.Version,
		PID:      os.Getpid(),
		Started:  c.started,
		Now:      now,
		Sessions: []admin.Session{},
		Bans:     []admin.Ban{},
	}
	states := c.look(ctx)
	known := c.handler.registry.List()
	for id, e := range known {
		r.Sessions = append(r.Sessions, session(id, e, states[id], now))
	}
	slices.SortFunc(r.Sessions, func(a, b admin.Session) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID))
	})
	r.Limits = c.limits(known)
	for _, b := range c.handler.bans.List() {
		r.Bans = append(r.Bans, admin.Ban{
			Network: host(b.Client), User: b.User, Until: b.Until, Cause: b.Cause,
		})
	}
	return r
}

// host returns a network as text. A network of one address is written without its length.
func host(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// session returns what the admin socket shows of a session.
func session(id string, e admission.Session, s monitor.SessionState, now time.Time) admin.Session {
	out := admin.Session{
		ID:        id,
		User:      cmp.Or(e.User, e.Former),
		Remote:    netip.AddrPortFrom(e.Remote.Addr().Unmap(), e.Remote.Port()),
		Since:     e.Since,
		TLS:       s.TLS,
		Client:    s.Client,
		Directory: s.Dir,
		Gone:      s.Gone,
	}
	t := s.Transfer
	switch {
	case t != nil:
		out.User = cmp.Or(e.Former, e.User)
		out.Transfer = &admin.Transfer{
			Verb:    t.Verb,
			Path:    t.Path,
			Bytes:   t.Moved,
			Size:    t.Size,
			Seconds: now.Sub(t.Began).Seconds(),
		}
		if out.Transfer.Seconds > 0 {
			out.Transfer.Rate = float64(t.Moved) / out.Transfer.Seconds
		}
	case !s.Active.IsZero():
		out.Idle = max(0, now.Sub(s.Active).Seconds())
	}
	return out
}

// look requests the states of all sessions by their ids. It queries all cores at the same time.
func (c *control) look(ctx context.Context) map[string]monitor.SessionState {
	var mu sync.Mutex
	all := map[string]monitor.SessionState{}
	var calls sync.WaitGroup
	for _, core := range c.handler.cores() {
		calls.Go(func() { // ends when the core has answered, or when its time is over
			for _, s := range core.Look(ctx) {
				mu.Lock()
				all[s.Session] = s
				mu.Unlock()
			}
		})
	}
	calls.Wait()
	return all
}

// limits returns each limit on sessions, with the address and the user that have most sessions.
func (c *control) limits(known map[string]admission.Session) []admin.Limit {
	limits := c.Config.Limits
	addresses, users, limit := map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range known {
		addresses[host(auth.Network(e.Remote.Addr()))]++
		for _, user := range e.Users() {
			users[user]++
		}
		limit[e.User] = e.MaxSessions
		limit[e.Former] = e.FormerMax
	}
	all := []admin.Limit{
		{Key: "limits.max_sessions", Limit: limits.MaxSessions, Used: len(known)},
	}
	if name, n := highest(addresses); n > 0 {
		all = append(all, admin.Limit{
			Key: "limits.max_sessions_per_ip", Limit: limits.MaxSessionsPerIP, Used: n, Of: name,
		})
	}
	if name, n := highest(users); n > 0 {
		all = append(all, admin.Limit{
			Key: "max_sessions", Limit: limit[name], Used: n, Of: name,
		})
	}
	return all
}

// highest returns the name with the highest count, the first in the alphabet of several.
func highest(counts map[string]int) (name string, n int) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] > n {
			name, n = k, counts[k]
		}
	}
	return name, n
}

// Kick implements admin.Service. target is the id of a session, an address or the name of a user.
func (c *control) Kick(_ context.Context, target string) (ended int) {
	for id, e := range c.handler.registry.List() {
		if !e.Matches(id, target) {
			continue
		}
		ended++
		c.Log.Info().Str("session", id).Str("remote", e.Remote.String()).Msg("kick")
		for _, core := range c.handler.cores() {
			_ = core.Kick(id) // fails if the core has ended; a core without the session ignores it
		}
	}
	return ended
}
