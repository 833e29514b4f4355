package monitor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
)

// A core cannot report an event that is impossible for its session.
func TestImpossibleEvents(t *testing.T) {
	all := func(kinds ...events.Kind) []events.Kind { return kinds }
	for name, test := range map[string]struct {
		login  bool // the password was right, after the first event
		events []events.Kind
	}{
		"connected twice":    {false, all(events.Connect, events.Connect)},
		"login by itself":    {false, all(events.Connect, events.Login)},
		"login twice":        {true, all(events.Connect, events.Login, events.Login)},
		"logout twice":       {true, all(events.Connect, events.Login, events.Logout, events.Logout)},
		"transfer":           {false, all(events.Connect, events.Upload)},
		"command":            {true, all(events.Connect, events.Command)},
		"disconnected twice": {false, all(events.Connect, events.Disconnect, events.Disconnect)},
		"of the supervisor":  {false, all(events.Connect, events.Dropped)},
	} {
		t.Run(name, func(t *testing.T) {
			f := new(fake)
			c, ended := start(t, f)
			a, err := c.Admit(t.Context(), Connection{})
			if err != nil {
				t.Fatal(err)
			}
			for i, kind := range test.events {
				c.Emit(events.Event{Kind: kind, Session: a.Session})
				if i == 0 && test.login {
					right := auth.Credentials{User: "al\xffice", Password: auth.Password("\xe4\x00")}
					if _, err := c.Authenticate(t.Context(), a.Session, right); err != nil {
						t.Fatal(err)
					}
				}
			}
			last := test.events[len(test.events)-1]
			if err := <-ended; err == nil || !strings.Contains(err.Error(), string(last)) {
				t.Errorf("error = %v", err)
			}
			if len(f.events) != len(test.events)-1 {
				t.Errorf("events %v", f.events)
			}
		})
	}
}

// A core that lies without a pause writes the records of its budget. The rest is counted.
func TestBudgetOfRecords(t *testing.T) {
	f := new(fake)
	var b budget
	long := events.Event{Path: strings.Repeat("x", maxText), Cause: strings.Repeat("x", maxText)}
	const size = recordSize + 2*maxText
	now := time.Now()
	written, sent := 0, 0
	send := func() {
		sent++
		if b.spend(long, now) {
			written++
		}
	}
	for range 2 * recordBurst / size {
		send()
	}
	if written != recordBurst/size {
		t.Errorf("%d records were written at one moment", written)
	}
	now = now.Add(10 * time.Second)
	for range 10 * 2 * recordRate / size {
		send()
	}
	if most := (recordBurst + 10*recordRate) / size; written < most-2 || written > most {
		t.Errorf("%d records were written after ten seconds, and not %d", written, most)
	}
	if !b.spend(events.Event{Kind: events.Login}, now) {
		t.Error("a login is not written")
	}
	b.report(f, now)
	b.report(f, now)
	if len(f.events) != 1 || f.events[0].Kind != events.Dropped ||
		f.events[0].Lost != sent-written {
		t.Errorf("reported: %v", f.events)
	}
}

// The supervisor processes an event whose record is dropped, and reports their number at the end.
func TestDroppedRecords(t *testing.T) {
	f := new(fake)
	server, c := connected(t)
	server.sup = f
	server.state = serving
	server.records.spent, server.records.at = recordBurst+recordReserve, time.Now().Add(time.Hour)
	ended := make(chan error, 1)
	go func() { // ends when the client's connection is closed
		_, err := server.Run(func() {})
		ended <- err
	}()
	go c.Run(Orders{}) // ends when the connection is closed
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	c.Emit(events.Event{Kind: events.Connect, Session: a.Session})
	c.Emit(events.Event{Kind: events.Disconnect, Session: a.Session})
	c.conn.CloseWrite()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	lost := 0
	for _, e := range f.events {
		lost += e.Lost
		if e.Kind != events.Dropped && !e.Unwritten {
			t.Errorf("%v is written", e)
		}
	}
	if lost != 2 {
		t.Errorf("%v", f.events)
	}
}

// The sessions of one core are bounded, also without limits.max_sessions.
func TestSessionsOfACore(t *testing.T) {
	f := new(fake)
	server, c := connected(t)
	server.sup, server.state = f, serving
	for i := range maxSessions {
		server.sessions[fmt.Sprint(i)] = &session{}
	}
	go server.Run(func() {}) // ends when the connection is closed
	go c.Run(Orders{})       // likewise
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil || a.Session != "" || a.Refusal == "" {
		t.Errorf("admitted: %v, %v", a, err)
	}
	c.conn.Close()
}
