package supervisor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/admission"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/monitor"
)

func newTestHandler(log *bytes.Buffer) *handler {
	return &handler{
		registry: admission.NewRegistry(config.Limits{}),
		bans:     admission.NewBans(config.Ban{}),
		log:      events.Log{Logger: zerolog.New(log)},
		repeats:  events.NewRepeats(zerolog.New(log), time.Minute),
	}
}

// users returns the number of sessions of each user.
func users(r *admission.Registry) map[string]int {
	counts := map[string]int{}
	for _, s := range r.List() {
		for _, user := range s.Users() {
			counts[user]++
		}
	}
	return counts
}

// After REIN, records of a session do not name the user that was logged in before.
func TestLogoutForgetsTheUser(t *testing.T) {
	var out bytes.Buffer
	d := newTestHandler(&out)
	id, _ := d.registry.Take(netip.MustParseAddrPort("192.0.2.1:4000"))
	d.registry.Login(id, "alice", 0)
	d.Emit(events.Event{Kind: events.Logout, Session: id})
	d.registry.Login(id, "bob", 0)
	// The core emits this event if it cannot open the home of bob.
	d.Emit(events.Event{Kind: events.LoginFailed, Session: id})
	if users := users(d.registry); len(users) != 0 {
		t.Errorf("users after the logout: %v", users)
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
	id, _ := r.Take(netip.MustParseAddrPort("192.0.2.1:4000"))
	other, _ := r.Take(netip.MustParseAddrPort("192.0.2.2:4000"))
	r.Login(id, "alice", 1)
	d.Emit(events.Event{Kind: events.Logout, Session: id, Verb: "RETR"})
	if ok, _ := r.Login(other, "alice", 1); ok {
		t.Error("a second session of alice is allowed, while a transfer of the first one runs")
	}
	if ok, _ := r.Login(id, "alice", 1); !ok {
		t.Error("alice cannot log in again in the session with the transfer")
	}
	d.Emit(events.Event{Kind: events.Logout, Session: id})
	r.Login(id, "bob", 1)
	if users := users(r); len(users) != 2 || users["alice"] != 1 || users["bob"] != 1 {
		t.Errorf("users: %v", users)
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
	r.End(id)
	if ok, _ := r.Login(other, "bob", 1); !ok {
		t.Error("a session that has ended counts")
	}
}

// A listing or a checksum that outlives its login is recorded under the name of that login, also
// after further logins in the session.
func TestCommandOutlivesLogin(t *testing.T) {
	var out bytes.Buffer
	h := newTestHandler(&out)
	id, _ := h.registry.Take(netip.MustParseAddrPort("192.0.2.1:4000"))
	h.registry.Login(id, "alice", 0)
	h.Emit(events.Event{Kind: events.Logout, Session: id, Former: true})
	h.registry.Login(id, "bob", 0)
	h.Emit(events.Event{Kind: events.Logout, Session: id})
	h.registry.Login(id, "carol", 0)
	if users := users(h.registry); len(users) != 1 {
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

// A transfer that continues after the logout of its user is shown as the transfer of this user,
// with the limit of this user.
func TestFormerTransferIsShown(t *testing.T) {
	r := admission.NewRegistry(config.Limits{})
	id, _ := r.Take(netip.MustParseAddrPort("192.0.2.1:4000"))
	r.Login(id, "alice", 3)
	r.Logout(id, true, true)
	r.Login(id, "bob", 5)
	e := r.Get(id)
	state := monitor.SessionState{Transfer: &monitor.TransferState{Verb: "RETR", Path: "/f"}}
	if s := session(id, e, state, time.Now()); s.User != "alice" {
		t.Errorf("the transfer is shown as that of %s", s.User)
	}
	if s := session(id, e, monitor.SessionState{}, time.Now()); s.User != "bob" {
		t.Errorf("without the transfer the session is shown as that of %s", s.User)
	}
	c := &control{Options: Options{Config: config.Default()}}
	limits := c.limits(r.List())
	if last := limits[len(limits)-1]; last.Of != "alice" || last.Limit != 3 {
		t.Errorf("the limit is shown as %+v", last)
	}
}

// Of the connections of a client, the log has the first 30 and those in which a user logs in. The
// others are in a count.
func TestConnectionsWithoutLogin(t *testing.T) {
	var out bytes.Buffer
	h := newTestHandler(&out)
	for i := range 35 {
		id, _ := h.registry.Take(netip.MustParseAddrPort("192.0.2.1:4000"))
		h.Emit(events.Event{Kind: events.Connect, Session: id})
		if i == 33 {
			h.registry.Login(id, "alice", 0)
			h.Emit(events.Event{Kind: events.Login, Session: id})
			h.Emit(events.Event{Kind: events.Logout, Session: id})
		}
		cause := fmt.Sprintf("read tcp 192.0.2.9:21->192.0.2.1:%d: reset", i)
		h.Emit(events.Event{Kind: events.Disconnect, Session: id, Cause: cause})
		h.End(id)
	}
	h.repeats.Flush()
	var got []string
	for line := range strings.Lines(out.String()) {
		var r struct {
			Message, Of, Network string
			Count                int
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimRight(fmt.Sprint(r.Message, " ", r.Of, r.Count), " 0"))
	}
	want := strings.Repeat("connect,disconnect,", 30) +
		"connect,login,logout,disconnect,repeated disconnect4"
	if strings.Join(got, ",") != want {
		t.Errorf("the log has %v\n%s", got, &out)
	}
}

// One client can fill the log neither with failed logins of long names nor with many of them.
func TestFailedLoginsInTheLog(t *testing.T) {
	var out bytes.Buffer
	h := newTestHandler(&out)
	id, _ := h.registry.Take(netip.MustParseAddrPort("192.0.2.1:4000"))
	name := strings.Repeat("\x01", 2000)
	for range 2000 {
		h.Emit(events.Event{Kind: events.LoginFailed, Session: id, User: name, Cause: name + ": banned"})
	}
	if n := out.Len(); n > 200_000 {
		t.Errorf("the log has %d bytes", n)
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	if !strings.Contains(first, `…: banned"`) {
		t.Errorf("the cause is lost: %s", first)
	}
	h.repeats.Flush()
	if !strings.Contains(out.String(), `"of":"login_failed","network":"192.0.2.1/32","count":1880`) {
		t.Errorf("the log has no count: %s", out.Bytes()[out.Len()-300:])
	}
}
