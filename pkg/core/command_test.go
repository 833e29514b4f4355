package core

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/control"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/transport"
)

// say sends lines and returns the replies that arrive without any time passing.
func say(t *testing.T, c *memnet.Conn, text string) string {
	t.Helper()
	if _, err := c.Write([]byte(text + "\r\n")); err != nil {
		t.Fatal(err)
	}
	return heard(c)
}

func heard(c *memnet.Conn) string {
	synctest.Wait()
	c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	defer c.SetReadDeadline(time.Time{})
	text, _ := io.ReadAll(c)
	return string(text)
}

// Each command is sent in each state, as far as its entry in the table decides the reply. The
// transcripts test the rest.
func TestEveryCommandInEachState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set("auth.failure_delay", "0s")
		for _, verb := range slices.Sorted(maps.Keys(w.server().commands)) {
			cmd := w.server().commands[verb]
			for _, state := range []struct {
				name     string
				before   string
				loggedIn bool
			}{
				{"connected", "NOOP", false},
				{"user named", "USER alice", false},
				{"logged in", "USER alice\r\nPASS secret", true},
			} {
				for _, arg := range []string{"", " ", " something"} {
					c := w.connect()
					heard(c)
					say(t, c, state.before)
					got := say(t, c, verb+arg)
					if want := expectedCode(cmd, state.loggedIn, arg); want != "" &&
						!strings.HasPrefix(got, want) {
						t.Errorf("%s: %q is answered %q, not %s", state.name, verb+arg, got, want)
					}
					if n := strings.Count(got, "\r\n"); n == 0 {
						t.Errorf("%s: %q is answered %q", state.name, verb+arg, got)
					}
					c.Close()
				}
			}
		}
		w.sessions.Wait()
	})
}

func expectedCode(cmd *command, loggedIn bool, arg string) string {
	text := strings.TrimPrefix(arg, " ")
	switch {
	case cmd.run == nil:
		return "502 "
	case cmd.arg == needArg && text == "", cmd.arg == noArg && strings.TrimSpace(text) != "":
		return "501 "
	case cmd.login && !loggedIn:
		return "530 "
	}
	return ""
}

// HELP and the command table must agree: each command that runs has a line of help that begins
// with its name.
func TestTableIsComplete(t *testing.T) {
	for verb, c := range commands() {
		if c.run == nil {
			if c.help != "" || c.feat != "" || c.during || c.login {
				t.Errorf("%s is absent, but its entry says more", verb)
			}
			continue
		}
		if !strings.HasPrefix(c.help, verb) {
			t.Errorf("%s has the help %q", verb, c.help)
		}
		if c.verb != verb {
			t.Errorf("%s says that it is %q", verb, c.verb)
		}
	}
}

func TestPipelinedCommands(t *testing.T) {
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connect()
		heard(c)
		go c.Write(bytes.Repeat([]byte("NOOP\r\n"), many)) // ends when the server has read it all
		got := make([]byte, len("200 OK.\r\n")*many)
		if n, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("%d bytes of replies: %v", n, err)
		}
		if want := bytes.Repeat([]byte("200 OK.\r\n"), many); !bytes.Equal(got, want) {
			t.Error("the replies are others")
		}
		c.Close()
		w.sessions.Wait()
	})
}

// Lines that wait for a transfer are bounded: beyond the bound the client is not read. All
// lines run in the end.
func TestWaitingLinesAreBounded(t *testing.T) {
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret\r\nTYPE I")
		port := passivePort(t, say(t, c, "EPSV"))
		say(t, c, "STOR f")
		go c.Write(bytes.Repeat([]byte("PWD\r\n"), many)) // ends when the server has read it all
		synctest.Wait()
		if n := w.waiting(); n < control.MaxAhead || n > mostAhead {
			t.Errorf("%d bytes of lines wait", n)
		}
		if got := heard(c); got != "" {
			t.Errorf("the server says %q before the transfer has ended", got)
		}
		w.upload(t, port, "x")
		want := "226 Transfer complete.\r\n" +
			strings.Repeat("257 \"/\" is the current directory.\r\n", many)
		got := make([]byte, len(want))
		if n, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("%d bytes of replies: %v", n, err)
		}
		if string(got) != want {
			t.Error("the replies are others")
		}
		c.Close()
		w.sessions.Wait()
	})
}

// The bound also holds for lines behind transfers that each wait for a data connection in
// turn.
func TestWaitingTransfersAreBounded(t *testing.T) {
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret\r\nTYPE I")
		// no listener answers there; the goroutine ends with the connection
		go c.Write(bytes.Repeat([]byte("PORT 192,0,2,99,39,15\r\nLIST\r\n"), many))
		for range 100 {
			time.Sleep(time.Duration(w.config.Limits.ConnectTimeout))
			synctest.Wait()
			heard(c)
			if n := w.waiting(); n > mostAhead {
				t.Fatalf("%d bytes of lines wait", n)
			}
		}
		c.Close()
		w.sessions.Wait()
	})
}

// mostAhead bounds the waiting bytes: a session reads once more when it has less than
// control.MaxAhead.
const mostAhead = control.MaxAhead + transport.BufferSize

// waiting returns how many bytes of lines wait in the only session.
func (w *world) waiting() int {
	s := w.session(w.t)
	s.turn.Lock()
	defer s.turn.Unlock()
	return s.ctl.Ahead()
}

func passivePort(t *testing.T, reply string) uint16 {
	t.Helper()
	var port uint16
	_, err := fmt.Sscanf(reply, "229 Entering Extended Passive Mode (|||%d|).", &port)
	if err != nil {
		t.Fatal(reply, err)
	}
	return port
}

func (w *world) upload(t *testing.T, port uint16, text string) {
	t.Helper()
	d, err := w.net.Connect(w.remote, w.at(port))
	if err != nil {
		t.Fatal(err)
	}
	d.Write([]byte(text))
	d.Finish()
}

// A panic ends its own session and no other one, whether it occurs in a line, in a section or
// in a transfer.
func TestPanics(t *testing.T) {
	for name, provoke := range map[string]func(*testing.T, *world, *memnet.Conn){
		"line": func(t *testing.T, w *world, c *memnet.Conn) {
			w.server().commands["NOOP"].run =
				func(*Session, context.Context, string) (Reply, error) { panic("at the disco") }
			c.Write([]byte("NOOP\r\n"))
		},
		"transfer": func(t *testing.T, w *world, c *memnet.Conn) {
			w.supervisor.broken = true
			port := passivePort(t, say(t, c, "EPSV"))
			if got := say(t, c, "LIST"); !strings.HasPrefix(got, "150 ") {
				t.Fatal(got)
			}
			d, err := w.net.Connect(w.remote, w.at(port))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			d.SetReadDeadline(time.Now().Add(time.Nanosecond))
			if text, err := io.ReadAll(d); len(text) > 0 || err != nil {
				t.Errorf("the data connection brings %q, %v", text, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				c, other := w.connect(), w.connect()
				heard(c)
				heard(other)
				say(t, c, "USER alice\r\nPASS secret\r\nMKD d")
				provoke(t, w, c)
				got := heard(c)
				if got != "421 Closing the control connection: internal error.\r\n" {
					t.Errorf("the server says %q", got)
				}
				if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Error("the control connection stays")
				}
				if got := say(t, other, "SYST"); !strings.HasPrefix(got, "215 ") {
					t.Errorf("another session reads %q", got)
				}
				other.Close()
				w.sessions.Wait()
				text := strings.Join(w.supervisor.events, "\n")
				if !strings.Contains(text, "panic (at the disco\ngoroutine ") {
					t.Error("no event tells of it:", text)
				}
				if len(w.supervisor.ended) != 2 {
					t.Error("a slot was lost:", w.supervisor.ended)
				}
			})
		})
	}
}

// A client that does not read its replies delays its session for no longer than the idle
// timeout.
func TestClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.connect()
		go func() { // ends when the session has ended
			for {
				if _, err := c.Write(bytes.Repeat([]byte("HELP\r\n"), 100)); err != nil {
					return
				}
			}
		}()
		before := time.Now()
		w.sessions.Wait()
		if took := time.Since(before); took != 5*time.Minute {
			t.Errorf("it took %v", took)
		}
		c.Close()
	})
}
