package monitor

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
)

// A rawCore is a core that says what the test wants.
type rawCore struct {
	*testing.T
	conn *net.UnixConn
}

func (c rawCore) say(k kind, body any) {
	c.Helper()
	packet, err := encode(k, 0, body)
	if err != nil {
		c.Fatal(err)
	}
	if _, err := c.conn.Write(packet); err != nil {
		c.Fatal(err)
	}
}

func (c rawCore) hear(k kind, body any) {
	c.Helper()
	m, _, err := receive(c.conn, make([]byte, maxMessage), nil)
	if err != nil || m.Kind != k {
		c.Fatalf("heard %q, %v", m.Kind, err)
	}
	if err := json.Unmarshal(m.Body, body); err != nil {
		c.Fatal(err)
	}
}

// Sessions that end while a core tells of them do not make a liar of it; one that tells of more than it was given is one.
func TestLook(t *testing.T) {
	for name, more := range map[string]int{"honest": 0, "liar": 1} {
		t.Run(name, func(t *testing.T) {
			conn, fd := pair(t)
			server, core := NewServer(conn, new(fake), 3), rawCore{t, connOf(t, fd)}
			ended := make(chan error, 1)
			go func() { // ends with the connection, or the lie
				_, err := server.Run(func() {})
				ended <- err
			}()
			core.say(ready, struct{}{})
			var all []stateBody
			for range 3 * maxStates {
				var a Admission
				core.say(admit, Connection{})
				core.hear(answer, &a)
				all = append(all, stateBody{SessionState: SessionState{Session: a.Session}})
			}
			for range more {
				all = append(all, all[0])
			}
			found := make(chan []SessionState, 1)
			go func() { found <- server.Look(t.Context()) }() // ends with the answer, or the test
			var asked lookBody
			core.hear(askStates, &asked)
			core.say(states, statesBody{Look: asked.Look, States: all[:2*maxStates]})
			for _, s := range all[:2*maxStates] {
				core.say(end, endBody{Session: s.Session})
			}
			core.say(states, statesBody{Look: asked.Look, States: all[2*maxStates:], Done: true})
			if more > 0 {
				if err := <-ended; err == nil || !strings.Contains(err.Error(), "more sessions than it has") {
					t.Errorf("the liar: %v", err)
				}
			} else if got := <-found; len(got) != 3*maxStates {
				t.Errorf("it has told of %d sessions", len(got))
			}
		})
	}
}

// Who does not read the answers is given a bounded number of them.
func TestAnswersThatNobodyReads(t *testing.T) {
	conn, fd := pair(t)
	server, core := NewServer(conn, new(fake), 3), rawCore{t, connOf(t, fd)}
	ended := make(chan error, 1)
	go func() { // ends with the bound
		_, err := server.Run(func() {})
		ended <- err
	}()
	core.say(ready, struct{}{})
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
