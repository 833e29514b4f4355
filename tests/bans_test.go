//go:build linux

package tests

import (
	"fmt"
	"strings"
	"testing"
)

// TestBans checks that an address that guesses a user's password is kept from that user, and that
// one that guesses the passwords of many users is kept out altogether, even with the right
// password. Others are served on.
func TestBans(t *testing.T) {
	t.Parallel()
	needRoot(t)
	alice, bob := newAccount(t), newAccount(t)
	s := serve(t, settings{
		"auth": "failure_delay = \"0s\"\nmax_attempts = 10\n",
		"end":  "[ban]\nfailures = 2\naddress_failures = 5\nexempt = [\"::1\"]\n",
	})
	for range 2 {
		refuse(t, s.addr, alice.name, "guessed")
	}
	s.log.wait(t, "the ban", func(r record) bool {
		return r.Message == "banned" &&
			r.User == alice.name && r.Cause != ""
	})
	refuse(t, s.addr, alice.name, alice.password)
	s.log.wait(t, "the cause of the refusal", func(r record) bool {
		return r.Message == "login_failed" && strings.Contains(r.Cause, "ban.failures = 2")
	})
	login(t, s.addr, bob.name, bob.password)
	login(t, s.addr6, alice.name, alice.password)

	for i := range 3 {
		refuse(t, s.addr, fmt.Sprint("ftpdtest-nobody", i), "guessed")
	}
	if _, greeting, err := dial(s.addr); err != nil || greeting.code != 421 {
		t.Errorf("a banned address: %v, %v", greeting, err)
	}
	r := s.log.wait(t, "the cause of the 421", message("refused"))
	if !strings.Contains(r.Cause, "ban.address_failures = 5") {
		t.Errorf("the log has %q", r.Cause)
	}
	for range 10 { // never
		refuse(t, s.addr6, bob.name, "guessed")
	}
	login(t, s.addr6, bob.name, bob.password)
}

func TestBanOfFastCommands(t *testing.T) {
	t.Parallel()
	needRoot(t)
	s := serve(t, settings{"end": "[ban]\ncommands_per_second = 50\n"})
	c, _, err := dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	fmt.Fprint(c.conn, strings.Repeat("NOOP\r\n", 200))
	for {
		r, err := c.reply()
		if err != nil {
			t.Fatal(err)
		}
		if r.code == 421 {
			break
		}
	}
	if _, greeting, err := dial(s.addr); err != nil || greeting.code != 421 {
		t.Errorf("afterwards: %v, %v", greeting, err)
	}
}

// TestSessionsOfAUser checks that a login beyond the sessions of its user gets a reply with the
// reason, that the log names the addresses of the other sessions, and that a session that ends
// makes room.
func TestSessionsOfAUser(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u, other := newAccount(t), newAccount(t)
	s := serve(t, settings{"defaults": "max_sessions = 2\n", "auth": "failure_delay = \"0s\"\n"})
	first := login(t, s.addr, u.name, u.password)
	login(t, s.addr, u.name, u.password)
	if r, _ := refuse(t, s.addr, u.name, u.password); r.code != 530 ||
		!strings.Contains(r.text, "Too many sessions") {
		t.Errorf("the third session: %v", r)
	}
	r := s.log.wait(t, "the refusal", message("login_failed"))
	if !strings.Contains(r.Cause, "max_sessions = 2") ||
		!strings.Contains(r.Cause, "127.0.0.1 (2)") {
		t.Errorf("the log has %q", r.Cause)
	}
	login(t, s.addr, other.name, other.password)
	first.expect(t, 230, "REIN")
	login(t, s.addr, u.name, u.password)
}
