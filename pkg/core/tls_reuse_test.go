package core

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ftpd/pkg/config"
	"ftpd/pkg/ftptls"
)

// serveReuse starts a server with a value of tls.session_reuse.
func serveReuse(t *testing.T, reuse config.SessionReuse) *loopback {
	return serveTCPWith(t, "127.0.0.1:0", func(c *config.Config) { c.TLS.SessionReuse = reuse })
}

// protected logs in over TLS.
func (l *loopback) protected(cfg *tls.Config) *tcpClient {
	l.t.Helper()
	c := l.client(net.IPv4(127, 0, 0, 1))
	c.secure(cfg)
	c.login()
	return c
}

// move makes one transfer over TLS with cfg; content is the data of an upload. It returns the
// received bytes, the last reply, and whether the data connection resumed. The client of a
// refused upload may find the connection closed.
func (c *tcpClient) move(command string, content []byte,
	cfg *tls.Config) (got []byte, last string, resumed bool) {
	c.t.Helper()
	conn := tls.Client(c.pasv("PASV"), cfg)
	defer conn.Close()
	c.say(command)
	c.expect("1")
	if strings.HasPrefix(command, "STOR") {
		conn.Write(content)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	} else {
		got, _ = io.ReadAll(conn)
	}
	return got, c.expect(""), conn.ConnectionState().DidResume
}

// happened reports whether an event with these words was emitted.
func (l *loopback) happened(words ...string) bool {
	l.supervisor.mu.Lock()
	defer l.supervisor.mu.Unlock()
	return slices.ContainsFunc(l.supervisor.events, func(e string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(e, w) })
	})
}

// The client of the control connection meets the demand in each kind of transfer.
func TestReuseRequired(t *testing.T) {
	content := make([]byte, 1<<20+1)
	rand.Read(content)
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			l := serveReuse(t, config.SessionReuseRequire)
			cfg := clientConfig(version)
			c := l.protected(cfg)
			for i, command := range []string{
				"STOR f", "LIST", "RETR f", "STOR f", "STOR f", "NLST", "RETR f", "MLSD",
			} {
				got, last, resumed := c.move(command, content, cfg)
				if !strings.HasPrefix(last, "226 ") || !resumed ||
					command == "RETR f" && !bytes.Equal(got, content) {
					t.Errorf("%d (%s): resumed %v, %d bytes, %q",
						i, command, resumed, len(got), last)
				}
			}
			if stored, err := os.ReadFile(filepath.Join(l.supervisor.home, "f")); err != nil ||
				!bytes.Equal(stored, content) {
				t.Errorf("%d bytes are stored, %v", len(stored), err)
			}
			if l.happened("not_resumed") {
				t.Error(l.supervisor.events)
			}
		})
	}
}

// No other client meets the demand: neither without a session, nor with a session of another
// control connection of the same user, be it the ticket of that control connection or of one
// of its data connections. The session continues, and a refused connection gives no usable
// ticket.
func TestReuseIsBoundToTheControlConnection(t *testing.T) {
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			l := serveReuse(t, config.SessionReuseRequire)
			if err := os.WriteFile(filepath.Join(l.supervisor.home, "f"), []byte("content"),
				0o600); err != nil {
				t.Fatal(err)
			}
			own, sisters := clientConfig(version), clientConfig(version)
			none := clientConfig(version)
			none.ClientSessionCache = nil
			c, sister := l.protected(own), l.protected(sisters)
			if _, last, resumed := sister.move("RETR f", nil, sisters); !resumed {
				t.Fatal("the sister herself:", last)
			}
			gathered := clientConfig(version) // tickets of refused connections
			for who, cfg := range map[string]*tls.Config{
				"no session": none, "a sister's": sisters, "gathered meanwhile": gathered,
			} {
				for range 3 {
					for _, command := range []string{"RETR f", "STOR g", "LIST", "STOR f"} {
						got, last, resumed := c.move(command, []byte("hello"), cfg)
						if resumed || len(got) > 0 || !strings.HasPrefix(last, "522 ") {
							t.Errorf("%s, %s: resumed %v, %q, %q", who, command, resumed, got, last)
						}
					}
				}
			}
			if s, _ := gathered.ClientSessionCache.Get("server"); s != nil {
				t.Error("a refused connection has brought a ticket, " +
					"which takes the place of others that clients have")
			}
			if _, err := os.Stat(
				filepath.Join(l.supervisor.home, "g"),
			); !errors.Is(err, os.ErrNotExist) {
				t.Error("a file was made:", err)
			}
			if stored, err := os.ReadFile(
				filepath.Join(l.supervisor.home, "f"),
			); string(stored) != "content" {
				t.Errorf("a file was changed: %q, %v", stored, err)
			}
			for _, cause := range []error{ftptls.ErrNoTicket, ftptls.ErrForeignTicket} {
				if !l.happened("not_resumed RETR 522", cause.Error()) ||
					!l.happened("upload_incomplete STOR /g 522", cause.Error()) {
					t.Errorf("no event tells %q: %q", cause, l.supervisor.events)
				}
			}
			if got, last, resumed := c.move("RETR f", nil, own); string(got) != "content" ||
				!resumed {
				t.Errorf("the right client: %q, %q", got, last)
			}
		})
	}
}

// In TLS 1.2 tickets can be read on the wire. A client that offers the ticket of another
// client, in a way that leads to a full handshake, is refused.
func TestReuseOfATicketThatWasSeen(t *testing.T) {
	l := serveReuse(t, config.SessionReuseRequire)
	own, thief := clientConfig(tls.VersionTLS12), clientConfig(tls.VersionTLS12)
	own.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	thief.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}
	c := l.protected(own)
	l.protected(thief)
	seen, _ := own.ClientSessionCache.Get("server")
	ticket, _, err := seen.ResumptionState()
	if err != nil {
		t.Fatal(err)
	}
	his, _ := thief.ClientSessionCache.Get("server")
	_, state, err := his.ResumptionState()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := tls.NewResumptionState(ticket, state)
	if err != nil {
		t.Fatal(err)
	}
	thief.ClientSessionCache.Put("server", forged)
	for range 3 {
		if got, last, resumed := c.move("NLST", nil, thief); resumed || len(got) > 0 ||
			!strings.HasPrefix(last, "522 ") {
			t.Errorf("resumed %v, %q, %q", resumed, got, last)
		}
	}
	if !l.happened("not_resumed 522", ftptls.ErrUnusedTicket.Error()) {
		t.Errorf("the ticket was not looked at: %q", l.supervisor.events)
	}
}

// A client that reconnects with its old session gets a new one: tickets of the old session are
// no proof.
func TestReuseAfterReconnecting(t *testing.T) {
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			l := serveReuse(t, config.SessionReuseRequire)
			cfg := clientConfig(version)
			l.protected(cfg)
			kept, _ := cfg.ClientSessionCache.Get("server")
			c := l.client(net.IPv4(127, 0, 0, 1))
			if !c.secure(cfg).ConnectionState().DidResume {
				t.Error("the control connection has not resumed the old one's session")
			}
			c.login()
			if _, last, resumed := c.move("NLST", nil, cfg); !resumed {
				t.Error("with the new ticket:", last)
			}
			old := clientConfig(version)
			old.ClientSessionCache.Put("server", kept)
			if _, last, resumed := c.move("NLST", nil, old); resumed ||
				!strings.HasPrefix(last, "522 ") {
				t.Errorf("with the old one: resumed %v, %q", resumed, last)
			}
		})
	}
}

// "prefer" serves every client: one that uses each ticket once, one with the ticket of another
// session, and one that never resumes. Those that did not resume are reported.
func TestReusePreferred(t *testing.T) {
	content := make([]byte, 1<<18)
	rand.Read(content)
	mixed := []string{
		"LIST", "STOR f", "RETR f", "STOR f", "STOR f", "MLSD", "RETR f", "NLST", "STOR f",
		"RETR f",
	}
	for name, version := range tlsVersions {
		for who, cache := range map[string]tls.ClientSessionCache{
			"each ticket once": &fickle{}, "no session": nil,
			"a sister's": tls.NewLRUClientSessionCache(4),
		} {
			t.Run(name+", "+who, func(t *testing.T) {
				l := serveReuse(t, config.SessionReusePrefer)
				cfg := clientConfig(version)
				cfg.ClientSessionCache = cache
				c := l.protected(cfg)
				if who == "a sister's" {
					l.protected(cfg) // its ticket replaces the right one
				}
				c.cmd("200 ", "CLNT tester")
				for i, command := range append(mixed, mixed...) {
					got, last, resumed := c.move(command, content, cfg)
					if !strings.HasPrefix(last, "226 ") ||
						command == "RETR f" && !bytes.Equal(got, content) {
						t.Errorf("%d (%s): resumed %v, %d bytes, %q",
							i, command, resumed, len(got), last)
					}
				}
				always := who == "each ticket once" // each connection gives a new ticket
				if l.happened("not_resumed", "client=tester") == always {
					t.Errorf("the events are %q", l.supervisor.events)
				}
				if who == "a sister's" &&
					!l.happened("not_resumed", ftptls.ErrForeignTicket.Error()) {
					t.Error("the sister is not named")
				}
			})
		}
	}
}

// "off" resumes nothing on data connections, and reports nothing. The control connection still
// gives a ticket, because PHP requires one.
func TestReuseOff(t *testing.T) {
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			l := serveReuse(t, config.SessionReuseOff)
			cfg := clientConfig(version)
			c := l.protected(cfg)
			if s, _ := cfg.ClientSessionCache.Get("server"); s == nil {
				t.Error("the control connection gives no ticket")
			}
			for _, command := range []string{"STOR f", "RETR f", "LIST"} {
				if _, last, resumed := c.move(command, []byte("x"), cfg); resumed ||
					!strings.HasPrefix(last, "226 ") {
					t.Errorf("%s: resumed %v, %q", command, resumed, last)
				}
			}
			if l.happened("not_resumed") {
				t.Error(l.supervisor.events)
			}
		})
	}
}
