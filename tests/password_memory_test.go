//go:build linux

package tests

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// A passwordUse is a login with a password of its own.
type passwordUse struct {
	name, user, password string
	code                 int    // of the reply to PASS
	secure               bool   // over TLS
	pieces               int    // in which the line is sent
	before               string // is sent with the password
}

// TestPasswordsAreCleared checks that neither the core nor the supervisor has a password in its
// memory, in clear or as JSON has it, after the session with that password has ended.
func TestPasswordsAreCleared(t *testing.T) {
	t.Parallel()
	needRoot(t)
	plain, secure := newAccount(t), newAccount(t)
	owner := newAccount(t)
	var users strings.Builder
	virtual := func(name string) (password string) {
		password = "Vp-" + rand.Text()
		hash := strings.TrimSpace(command(t, password+"\n", filepath.Join(bin, "ftpd"), "passwd"))
		fmt.Fprintf(&users, "[[user]]\nname = %q\npassword = %q\nhome = %q\nrun_as = %q\n",
			name, hash, owner.home, owner.name)
		return password
	}
	uses := []passwordUse{
		{name: "system", user: plain.name, password: plain.password, code: 230},
		{name: "system, TLS", user: secure.name, password: secure.password, code: 230,
			secure: true},
		{name: "virtual", user: "v", password: virtual("v"), code: 230},
		{name: "virtual, TLS", user: "w", password: virtual("w"), code: 230, secure: true},
		{name: "wrong", user: plain.name, password: "Wr-" + rand.Text(), code: 530},
		{name: "wrong, TLS", user: plain.name, password: "Wr-" + rand.Text(), code: 530,
			secure: true},
		{name: "wrong, virtual", user: "v", password: "Wr-" + rand.Text(), code: 530},
		{name: "in two segments", user: plain.name, password: "Wr-" + rand.Text(), code: 530,
			pieces: 2},
		{name: "in many segments, TLS", user: plain.name, password: "Wr-" + rand.Text(),
			code: 530, secure: true, pieces: 20},
		{name: "long, in many segments", user: plain.name, code: 530, pieces: 50,
			password: strings.Repeat("Wr-"+rand.Text(), 15)},
		{name: "with USER", user: plain.name, password: "Wr-" + rand.Text(), code: 530,
			before: "USER " + plain.name + "\r\n"},
		{name: "without USER", password: "Wr-" + rand.Text(), code: 503},
	}
	planted := "planted-" + rand.Text()
	a := newAuthority(t)
	a.issue(t, "localhost", "ecdsa")
	s := serve(t, settings{
		"server":   fmt.Sprintf("banner = %q\n", planted),
		"auth":     "failure_delay = \"0s\"\n",
		"defaults": "require_tls = \"off\"\n",
		"end":      a.section("localhost") + users.String(),
	})
	for _, use := range uses {
		use.run(t, s, a)
	}
	for name, pid := range map[string]int{"core": s.core(t), "supervisor": s.cmd.Process.Pid} {
		wanted := []string{planted}
		for _, use := range uses {
			wanted = append(wanted, use.traces()...)
		}
		found := searchMemory(t, pid, wanted...)
		if !found[planted] {
			t.Fatalf("%s: the search does not find what is there: the banner", name)
		}
		for _, use := range uses {
			for i, trace := range use.traces() {
				if found[trace] {
					t.Errorf("%s: the password of %q is in memory, as %s", name, use.name,
						[]string{"text", "base64"}[i])
				}
			}
		}
	}
}

// TestPasswordsAreClearedInOneProcess checks the same of a service that an ordinary user runs.
func TestPasswordsAreClearedInOneProcess(t *testing.T) {
	t.Parallel()
	planted := "planted-" + rand.Text()
	s := ordinaryServer(t, "")
	config := s.cmd.Args[len(s.cmd.Args)-1]
	var text strings.Builder
	text.WriteString(strings.NewReplacer(
		"[server]\n", fmt.Sprintf("[server]\nbanner = %q\n", planted),
		"[auth]\n", "[auth]\nfailure_delay = \"0s\"\n",
	).Replace(readFile(t, config)))
	var uses []passwordUse
	for i := range 4 {
		use := passwordUse{name: "right", user: fmt.Sprint("v", i), code: 230,
			password: "Vp-" + rand.Text()}
		hash := command(t, use.password+"\n", filepath.Join(bin, "ftpd"), "passwd")
		fmt.Fprintf(&text, "[[user]]\nname = %q\npassword = %q\nhome = \"/tmp\"\nrun_as = \"\"\n",
			use.user, strings.TrimSpace(hash))
		uses = append(uses, use, passwordUse{name: "wrong", user: use.user, code: 530,
			password: "Wr-" + rand.Text()})
	}
	writeFile(t, config, text.String(), 0o644)
	s.start(t)
	for _, use := range uses {
		use.run(t, s, nil)
	}
	wanted := []string{planted}
	for _, use := range uses {
		wanted = append(wanted, use.traces()...)
	}
	found := searchMemory(t, s.cmd.Process.Pid, wanted...)
	if !found[planted] {
		t.Fatal("the search does not find what is there: the banner")
	}
	for _, use := range uses {
		for _, trace := range use.traces() {
			if found[trace] {
				t.Errorf("a password is in memory: %s", use.name)
			}
		}
	}
}

// traces returns what to look for: the password and its base64, without the ends, which an
// allocation may have overwritten.
func (use passwordUse) traces() []string {
	encoded := base64.StdEncoding.EncodeToString([]byte(use.password))
	return []string{use.password[8 : len(use.password)-2], encoded[8 : len(encoded)-4]}
}

// run logs in, or fails to, and ends the session.
func (use passwordUse) run(t *testing.T, s *server, a *authority) {
	t.Helper()
	c, _, err := dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if use.secure {
		if _, err := c.startTLS(a.client("localhost")); err != nil {
			t.Fatal(err)
		}
	}
	if use.user != "" && use.before == "" {
		c.expect(t, 331, "USER "+use.user)
	}
	line := use.before + "PASS " + use.password + "\r\n"
	for n := max(use.pieces, 1); n > 0; n-- {
		piece := line[:(len(line)+n-1)/n]
		line = line[len(piece):]
		if _, err := io.WriteString(c.conn, piece); err != nil {
			t.Fatal(err)
		}
	}
	if use.before != "" {
		if r, err := c.reply(); err != nil || r.code != 331 {
			t.Fatalf("%s: %v, %v", use.name, r, err)
		}
	}
	if r, err := c.reply(); err != nil || r.code != use.code {
		t.Fatalf("%s: %v, %v", use.name, r, err)
	}
	c.expect(t, 221, "QUIT")
	io.Copy(io.Discard, c.conn) // the session has ended
}
