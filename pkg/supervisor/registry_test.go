package supervisor

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/monitor"
)

func TestRegistryLimits(t *testing.T) {
	r := newRegistry(3, 2)
	from := func(s string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(s), 1000) }
	first, refusal, _ := r.take(from("192.0.2.1"))
	if refusal != "" || len(first) != 8 {
		t.Fatalf("first session: %q, %q", first, refusal)
	}
	r.take(from("::ffff:192.0.2.1")) // the same address at a dual-stack listener
	r.login(first, "alice", 0)
	if _, refusal, cause := r.take(from("192.0.2.1")); refusal == "" ||
		cause != "limits.max_sessions_per_ip = 2 is reached by alice (1), nobody yet (1)" {
		t.Errorf("third of an address: %q, %q", refusal, cause)
	}
	r.take(from("192.0.2.2"))
	if _, refusal, cause := r.take(from("192.0.2.3")); refusal == "" ||
		cause != "limits.max_sessions = 3 is reached, by sessions from 2 addresses: "+
			"192.0.2.1 (2), 192.0.2.2 (1)" {
		t.Errorf("fourth of the server: %q, %q", refusal, cause)
	}
	r.end(first)
	r.end(first) // the second call has no effect
	if _, refusal, _ := r.take(from("192.0.2.1")); refusal != "" {
		t.Errorf("after an end: %q", refusal)
	}
	if _, refusal, _ := r.take(from("192.0.2.3")); refusal == "" {
		t.Error("the second end of a session was counted")
	}
}

// A session counts against max_sessions of its user until it logs out or ends.
func TestRegistryLimitsUsers(t *testing.T) {
	r := newRegistry(0, 0)
	remote := netip.MustParseAddrPort("192.0.2.1:1000")
	var ids []string
	for range 3 {
		id, _, _ := r.take(remote)
		ids = append(ids, id)
	}
	for _, id := range ids[:2] {
		if ok, _ := r.login(id, "alice", 2); !ok {
			t.Fatal("too early")
		}
	}
	if ok, holders := r.login(ids[2], "alice", 2); ok || holders != "192.0.2.1 (2)" {
		t.Errorf("the third session: %v, %q", ok, holders)
	}
	if ok, _ := r.login(ids[1], "alice", 2); !ok {
		t.Error("a session that logs in again counts twice")
	}
	r.logout(ids[0], false, false)
	r.end(ids[1])
	for _, id := range []string{ids[2], ids[0]} {
		if ok, _ := r.login(id, "alice", 2); !ok {
			t.Error("a session that has ended counts")
		}
	}
	for _, id := range ids {
		r.end(id)
	}
	if len(r.users) != 0 {
		t.Errorf("left: %v", r.users)
	}
}

// A session has its user until it ends. A login that succeeds afterwards leaves nothing behind.
func TestRegistryHoldsUsers(t *testing.T) {
	r := newRegistry(0, 0)
	remote := netip.MustParseAddrPort("[2001:db8::1]:4000")
	id, _, _ := r.take(remote)
	r.login(id, "alice", 0)
	if e := r.get(id); e.user != "alice" || e.remote != remote {
		t.Errorf("entry = %+v", e)
	}
	r.end(id)
	r.login(id, "bob", 0) // too late
	if len(r.sessions)+len(r.clients)+len(r.users) != 0 {
		t.Errorf("left: %v %v %v", r.sessions, r.clients, r.users)
	}
}

func newTestHandler(log *bytes.Buffer) *handler {
	return &handler{
		registry: newRegistry(0, 0),
		bans:     newBans(config.Ban{}),
		log:      events.Log{Logger: zerolog.New(log)},
	}
}

// After REIN, records of a session do not name the user that was logged in before.
func TestLogoutForgetsTheUser(t *testing.T) {
	var out bytes.Buffer
	d := newTestHandler(&out)
	id, _, _ := d.registry.take(netip.MustParseAddrPort("192.0.2.1:4000"))
	d.registry.login(id, "alice", 0)
	d.Emit(events.Event{Kind: events.Logout, Session: id})
	d.registry.login(id, "bob", 0)
	// The core emits this event if it cannot open the home of bob.
	d.Emit(events.Event{Kind: events.LoginFailed, Session: id})
	if len(d.registry.users) != 0 {
		t.Errorf("users after the logout: %v", d.registry.users)
	}
	d.Emit(events.Event{Kind: events.Disconnect, Session: id})
	logout, disconnect, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(logout, `"user":"alice"`) ||
		strings.Contains(disconnect, "alice") || strings.Contains(disconnect, "bob") {
		t.Errorf("the log is\n%s", &out)
	}
}

// A transfer that goes on after its user has logged out still belongs to this user: in the log, and
// in the count of the user's sessions.
func TestTransferOutlivesLogin(t *testing.T) {
	var out bytes.Buffer
	d := newTestHandler(&out)
	r := d.registry
	id, _, _ := r.take(netip.MustParseAddrPort("192.0.2.1:4000"))
	other, _, _ := r.take(netip.MustParseAddrPort("192.0.2.2:4000"))
	r.login(id, "alice", 1)
	d.Emit(events.Event{Kind: events.Logout, Session: id, Verb: "RETR"})
	if ok, _ := r.login(other, "alice", 1); ok {
		t.Error("a second session of alice is allowed, while a transfer of the first one runs")
	}
	if ok, _ := r.login(id, "alice", 1); !ok {
		t.Error("alice cannot log in again in the session with the transfer")
	}
	d.Emit(events.Event{Kind: events.Logout, Session: id})
	r.login(id, "bob", 1)
	if len(r.users) != 2 || r.users["alice"] != 1 || r.users["bob"] != 1 {
		t.Errorf("users: %v", r.users)
	}
	out.Reset()
	d.Emit(events.Event{Kind: events.Download, Session: id})
	if !strings.Contains(out.String(), `"user":"alice"`) {
		t.Errorf("the first transfer is logged as %s", &out)
	}
	out.Reset()
	d.Emit(events.Event{Kind: events.Download, Session: id})
	if !strings.Contains(out.String(), `"user":"bob"`) {
		t.Errorf("the second transfer is logged as %s", &out)
	}
	r.end(id)
	if len(r.users) != 0 {
		t.Errorf("users after the end: %v", r.users)
	}
}

// A listing or a checksum that outlives its login is recorded under the name of that login, also
// after further logins in the session.
func TestCommandOutlivesLogin(t *testing.T) {
	var out bytes.Buffer
	h := &handler{
		registry: newRegistry(0, 0),
		bans:     newBans(config.Ban{}),
		log:      events.Log{Logger: zerolog.New(&out)},
	}
	id, _, _ := h.registry.take(netip.MustParseAddrPort("192.0.2.1:4000"))
	h.registry.login(id, "alice", 0)
	h.Emit(events.Event{Kind: events.Logout, Session: id, Former: true})
	h.registry.login(id, "bob", 0)
	h.Emit(events.Event{Kind: events.Logout, Session: id})
	h.registry.login(id, "carol", 0)
	if users := h.registry.users; len(users) != 1 {
		t.Errorf("sessions are counted for %v", users)
	}
	for user, former := range map[string]bool{"alice": true, "carol": false} {
		out.Reset()
		h.Emit(events.Event{Kind: events.Command, Session: id, Verb: "LIST", Former: former})
		if !strings.Contains(out.String(), `"user":"`+user+`"`) {
			t.Errorf("of %s: the log has %s", user, &out)
		}
	}
}

// While the transfer of a user continues who has logged out, it is shown as that user's, with the
// limit of that user.
func TestFormerTransferIsShown(t *testing.T) {
	r := newRegistry(0, 0)
	id, _, _ := r.take(netip.MustParseAddrPort("192.0.2.1:4000"))
	r.login(id, "alice", 3)
	r.logout(id, true, true)
	r.login(id, "bob", 5)
	e := r.get(id)
	state := monitor.SessionState{Transfer: &monitor.TransferState{Verb: "RETR", Path: "/f"}}
	if s := session(id, e, state, time.Now()); s.User != "alice" {
		t.Errorf("the transfer is shown as that of %s", s.User)
	}
	if s := session(id, e, monitor.SessionState{}, time.Now()); s.User != "bob" {
		t.Errorf("without the transfer the session is shown as that of %s", s.User)
	}
	c := &control{Options: Options{Config: config.Default()}}
	limits := c.limits(r.list())
	if last := limits[len(limits)-1]; last.Of != "alice" || last.Limit != 3 {
		t.Errorf("the limit is shown as %+v", last)
	}
}

// A core that ran for long is replaced at once. After cores that die early, the pause grows each
// time, up to a bound.
func TestBackoff(t *testing.T) {
	var b backoff
	want := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond}
	for i, w := range want {
		if got := b.next(time.Second); got != w {
			t.Errorf("pause %d = %v, want %v", i, got, w)
		}
	}
	for range 20 {
		b.next(time.Second)
	}
	if got := b.next(time.Second); got != maxPause {
		t.Errorf("after many: %v, want %v", got, maxPause)
	}
	if got := b.next(time.Hour); got != 0 {
		t.Errorf("after a long life: %v, want none", got)
	}
}
