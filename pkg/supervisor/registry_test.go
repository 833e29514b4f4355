package supervisor

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/events"
)

func TestRegistryLimits(t *testing.T) {
	r := newRegistry(3, 2)
	from := func(s string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(s), 1000) }
	first, refusal, _ := r.take(from("192.0.2.1"))
	if refusal != "" || len(first) != 8 {
		t.Fatalf("first session: %q, %q", first, refusal)
	}
	r.take(from("::ffff:192.0.2.1")) // the same address, come by a dual-stack listener
	if _, refusal, cause := r.take(from("192.0.2.1")); refusal == "" || !strings.Contains(cause, "max_sessions_per_ip = 2") {
		t.Errorf("third of an address: %q, %q", refusal, cause)
	}
	r.take(from("192.0.2.2"))
	if _, refusal, cause := r.take(from("192.0.2.3")); refusal == "" || !strings.Contains(cause, "max_sessions = 3") {
		t.Errorf("fourth of the server: %q, %q", refusal, cause)
	}
	r.end(first)
	r.end(first) // twice gives one slot back
	if _, refusal, _ := r.take(from("192.0.2.1")); refusal != "" {
		t.Errorf("after an end: %q", refusal)
	}
	if _, refusal, _ := r.take(from("192.0.2.3")); refusal == "" {
		t.Error("a slot was given back twice")
	}
}

func TestRegistryKnowsWho(t *testing.T) {
	r := newRegistry(0, 0)
	remote := netip.MustParseAddrPort("[2001:db8::1]:4000")
	id, _, _ := r.take(remote)
	r.name(id, "alice")
	if e := r.get(id); e.user != "alice" || e.remote != remote {
		t.Errorf("entry = %+v", e)
	}
	r.end(id)
	r.name(id, "bob") // too late
	if len(r.sessions)+len(r.addresses) != 0 {
		t.Errorf("left: %v %v", r.sessions, r.addresses)
	}
}

// What a session does after REIN is not told of the user who was there before.
func TestLogoutForgetsTheUser(t *testing.T) {
	var out bytes.Buffer
	d := &desk{registry: newRegistry(0, 0), log: events.Log{Logger: zerolog.New(&out)}}
	id, _, _ := d.registry.take(netip.MustParseAddrPort("192.0.2.1:4000"))
	d.registry.name(id, "alice")
	d.Emit(events.Event{Kind: events.Logout, Session: id})
	d.Emit(events.Event{Kind: events.Disconnect, Session: id})
	logout, disconnect, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(logout, `"user":"alice"`) || strings.Contains(disconnect, "alice") {
		t.Errorf("the log says\n%s", &out)
	}
}

// A core that lived is replaced at once; those that die young wait longer each time, up to a bound.
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
