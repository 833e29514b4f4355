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
	"ftpd/pkg/auth"
	"ftpd/pkg/monitor"
)

// A control answers at the admin socket. What it tells of sessions is the supervisor's own record, and what their cores say of them.
type control struct {
	Options
	desk    *desk
	started time.Time
	cores   func() []looker // those that run now
}

// A looker is a core, in this process or another one.
type looker interface {
	Look(context.Context) []monitor.SessionState
	Kick(session string) error
}

// serveAdmin opens the admin socket. Without one the service goes on, and says so. The caller calls close at the end.
func serveAdmin(o Options, d *desk, cores func() []looker) (close func()) {
	l, err := admin.Listen(o.Config.Admin.Socket, adminGroup())
	if err != nil {
		o.Log.Warn().Err(err).Msg("ftpd who and ftpd kick cannot reach this service: set admin.socket to a path that it may make")
		return func() {}
	}
	c := &control{Options: o, desk: d, started: time.Now(), cores: cores}
	go admin.Serve(l, c) // ends with the listener
	return func() { l.Close() }
}

// adminGroup is the id of the group that may ask; negative where there is none, or this process could not give it a file.
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
	r := admin.Report{Version: c.Version, PID: os.Getpid(), Started: c.started, Now: now, Sessions: []admin.Session{}, Bans: []admin.Ban{}}
	states := c.look(ctx)
	known := c.desk.registry.list()
	for id, e := range known {
		r.Sessions = append(r.Sessions, session(id, e, states[id], now))
	}
	slices.SortFunc(r.Sessions, func(a, b admin.Session) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID))
	})
	r.Limits = c.limits(known)
	for _, b := range c.desk.bans.list() {
		r.Bans = append(r.Bans, admin.Ban{Network: host(b.Client), User: b.User, Until: b.Until, Cause: b.Cause})
	}
	return r
}

// host is a network without the length where that is one address.
func host(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func session(id string, e entry, s monitor.SessionState, now time.Time) admin.Session {
	out := admin.Session{
		ID: id, User: cmp.Or(e.user, e.former), Remote: netip.AddrPortFrom(e.remote.Addr().Unmap(), e.remote.Port()), Since: e.since,
		TLS: s.TLS, Client: s.Client, Directory: s.Dir, Gone: s.Gone,
	}
	t := s.Transfer
	switch {
	case t != nil:
		out.Transfer = &admin.Transfer{Verb: t.Verb, Path: t.Path, Bytes: t.Moved, Size: t.Size, Seconds: now.Sub(t.Began).Seconds()}
		if out.Transfer.Seconds > 0 {
			out.Transfer.Rate = float64(t.Moved) / out.Transfer.Seconds
		}
	case !s.Active.IsZero():
		out.Idle = max(0, now.Sub(s.Active).Seconds())
	}
	return out
}

// look asks all cores at the same time.
func (c *control) look(ctx context.Context) map[string]monitor.SessionState {
	var mu sync.Mutex
	all := map[string]monitor.SessionState{}
	var asked sync.WaitGroup
	for _, core := range c.cores() {
		asked.Go(func() { // ends when the core has answered, or is late
			for _, s := range core.Look(ctx) {
				mu.Lock()
				all[s.Session] = s
				mu.Unlock()
			}
		})
	}
	asked.Wait()
	return all
}

func (c *control) limits(known map[string]entry) []admin.Limit {
	addresses, users, limit := map[string]int{}, map[string]int{}, map[string]int{}
	for _, e := range known {
		addresses[host(auth.Network(e.remote.Addr()))]++
		for _, user := range e.users() {
			users[user]++
		}
		limit[cmp.Or(e.user, e.former)] = e.most
	}
	all := []admin.Limit{{Key: "limits.max_sessions", Limit: c.Config.Limits.MaxSessions, Used: len(known)}}
	if name, n := most(addresses); n > 0 {
		all = append(all, admin.Limit{Key: "limits.max_sessions_per_ip", Limit: c.Config.Limits.MaxSessionsPerIP, Used: n, Of: name})
	}
	if name, n := most(users); n > 0 {
		all = append(all, admin.Limit{Key: "max_sessions", Limit: limit[name], Used: n, Of: name})
	}
	return all
}

// most is who has the highest count.
func most(counts map[string]int) (name string, n int) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] > n {
			name, n = k, counts[k]
		}
	}
	return name, n
}

// Kick implements admin.Service. What is neither an address nor a session is a user.
func (c *control) Kick(_ context.Context, target string) (ended int) {
	address, err := netip.ParseAddr(target)
	for id, e := range c.desk.registry.list() {
		if id != target && !slices.Contains(e.users(), target) && (err != nil || e.remote.Addr().Unmap().WithZone("") != address.Unmap()) || target == "" {
			continue
		}
		ended++
		c.Log.Info().Str("session", id).Str("remote", e.remote.String()).Msg("kick")
		for _, core := range c.cores() {
			_ = core.Kick(id) // a core that cannot be told has ended, and one that has no such session does nothing
		}
	}
	return ended
}
