package monitor

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
)

// A rawCore is the core's end of a connection. The test sends and receives single messages
// through it.
type rawCore struct {
	*testing.T
	conn *net.UnixConn
}

func (c rawCore) send(k kind, body any) {
	c.Helper()
	packet, err := encode(k, 0, body)
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.conn.Write(packet); err != nil {
		c.Fatal(err)
	}
}

func (c rawCore) receive(k kind, body any) {
	c.Helper()
	m, _, err := receive(c.conn, make([]byte, maxMessage), nil)
	if err != nil || m.Kind != k {
		c.Fatalf("received %q, %v; want %q", m.Kind, err, k)
	}
	if err := json.Unmarshal(m.Body, body); err != nil {
		c.Fatal(err)
	}
}

// A core may report sessions that end during the look. A core that reports more sessions than
// it was granted is ended.
func TestLook(t *testing.T) {
	for name, more := range map[string]int{"its sessions": 0, "one more": 1} {
		t.Run(name, func(t *testing.T) {
			conn, fd := pair(t)
			server, core := NewServer(conn, new(fake), 3), rawCore{t, connOf(t, fd)}
			ended := make(chan error, 1)
			go func() { // ends with the connection, or with the false report
				_, err := server.Run(func() {})
				ended <- err
			}()
			core.send(ready, struct{}{})
			var all []stateBody
			for range 3 * maxStates {
				var a Admission
				core.send(admit, Connection{})
				core.receive(answer, &a)
				all = append(all, stateBody{SessionState: SessionState{Session: a.Session}})
			}
			for range more {
				all = append(all, all[0])
			}
			found := make(chan []SessionState, 1)
			go func() { found <- server.Look(t.Context()) }() // ends with the states, or the test
			var look lookBody
			core.receive(askStates, &look)
			core.send(states, statesBody{Look: look.Look, States: all[:2*maxStates]})
			for _, s := range all[:2*maxStates] {
				core.send(end, endBody{Session: s.Session})
			}
			core.send(states, statesBody{Look: look.Look, States: all[2*maxStates:], Done: true})
			if more > 0 {
				err := <-ended
				if err == nil || !strings.Contains(err.Error(), "more sessions than it has") {
					t.Errorf("it ended with %v", err)
				}
			} else if got := <-found; len(got) != 3*maxStates {
				t.Errorf("%d sessions, want %d", len(got), 3*maxStates)
			}
		})
	}
}

// The answers that a core does not read are bounded.
func TestUnreadAnswers(t *testing.T) {
	conn, fd := pair(t)
	server, core := NewServer(conn, new(fake), 3), rawCore{t, connOf(t, fd)}
	ended := make(chan error, 1)
	go func() { // ends with the bound
		_, err := server.Run(func() {})
		ended <- err
	}()
	core.send(ready, struct{}{})
	packet, err := encode(names, 0, namesBody{Users: []uint32{1}, Groups: []uint32{2}})
	if err != nil {
		t.Fatal(err)
	}
	for range 100_000 {
		if _, err := core.conn.Write(packet); err != nil {
			break
		}
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("it ended with %v", err)
	}
}
