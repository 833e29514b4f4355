package admission

import (
	"net/netip"
	"testing"

	"ftpd/pkg/config"
)

func TestRegistryLimits(t *testing.T) {
	r := NewRegistry(config.Limits{MaxSessions: 3, MaxSessionsPerIP: 2})
	from := func(s string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(s), 1000) }
	first, refused := r.Take(from("192.0.2.1"))
	if refused.Text != "" || len(first) != 8 {
		t.Fatalf("first session: %q, %q", first, refused.Text)
	}
	r.Take(from("::ffff:192.0.2.1")) // the same address at a dual-stack listener
	r.Login(first, "alice", 0)
	if _, refused := r.Take(from("192.0.2.1")); refused.Text == "" ||
		refused.Cause() != "limits.max_sessions_per_ip = 2 is reached by alice (1), nobody yet (1)" {
		t.Errorf("third of an address: %q, %q", refused.Text, refused.Cause())
	}
	r.Take(from("192.0.2.2"))
	if _, refused := r.Take(from("192.0.2.3")); refused.Text == "" ||
		refused.Cause() != "limits.max_sessions = 3 is reached, by sessions from 2 addresses: "+
			"192.0.2.1 (2), 192.0.2.2 (1)" {
		t.Errorf("fourth of the server: %q, %q", refused.Text, refused.Cause())
	}
	r.End(first)
	r.End(first) // the second call has no effect
	if _, refused := r.Take(from("192.0.2.1")); refused.Text != "" {
		t.Errorf("after an end: %q", refused.Text)
	}
	if _, refused := r.Take(from("192.0.2.3")); refused.Text == "" {
		t.Error("the second end of a session was counted")
	}
}

// A session counts against max_sessions of its user until it logs out or ends.
func TestRegistryLimitsUsers(t *testing.T) {
	r := NewRegistry(config.Limits{MaxSessions: 0, MaxSessionsPerIP: 0})
	remote := netip.MustParseAddrPort("192.0.2.1:1000")
	var ids []string
	for range 3 {
		id, _ := r.Take(remote)
		ids = append(ids, id)
	}
	for _, id := range ids[:2] {
		if ok, _ := r.Login(id, "alice", 2); !ok {
			t.Fatal("too early")
		}
	}
	if ok, holders := r.Login(ids[2], "alice", 2); ok || holders != "192.0.2.1 (2)" {
		t.Errorf("the third session: %v, %q", ok, holders)
	}
	if ok, _ := r.Login(ids[1], "alice", 2); !ok {
		t.Error("a session that logs in again counts twice")
	}
	r.Logout(ids[0], false, false)
	r.End(ids[1])
	for _, id := range []string{ids[2], ids[0]} {
		if ok, _ := r.Login(id, "alice", 2); !ok {
			t.Error("a session that has ended counts")
		}
	}
	for _, id := range ids {
		r.End(id)
	}
	if len(r.users) != 0 {
		t.Errorf("left: %v", r.users)
	}
}

// A session has its user until it ends. A login that succeeds afterwards leaves nothing behind.
func TestRegistryHoldsUsers(t *testing.T) {
	r := NewRegistry(config.Limits{MaxSessions: 0, MaxSessionsPerIP: 0})
	remote := netip.MustParseAddrPort("[2001:db8::1]:4000")
	id, _ := r.Take(remote)
	r.Login(id, "alice", 0)
	if e := r.Get(id); e.User != "alice" || e.Remote != remote {
		t.Errorf("entry = %+v", e)
	}
	r.End(id)
	r.Login(id, "bob", 0) // too late
	if len(r.sessions)+len(r.clients)+len(r.users) != 0 {
		t.Errorf("left: %v %v %v", r.sessions, r.clients, r.users)
	}
}
