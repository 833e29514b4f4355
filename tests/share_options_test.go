//go:build linux

package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestShareOptions checks each option of `ftpd share`, as far as it can be seen from outside.
func TestShareOptions(t *testing.T) {
	t.Parallel()
	passivePort := freePort(t)
	only := []string{"--user", "alice", "--password", "sesame"}
	for _, test := range []struct {
		options []string
		see     func(t *testing.T, s *server, dir string)
	}{
		{only, seeOneUser},
		{append(slices.Clone(only), "--write", "--max-attempts", "1"), seeOneAttempt},
		{[]string{"--write"}, seeWarning},
		{[]string{"--public-address", "203.0.113.7"}, seePublicAddress},
		{[]string{"--passive-ports", fmt.Sprint(passivePort)}, seePassivePort(passivePort)},
		{[]string{"--banner", "Hello there."}, seeBanner},
		{[]string{"--idle-timeout", "250ms"}, seeIdleTimeout},
		{[]string{"--max-sessions", "1"}, seeOneSession},
		{[]string{"--max-sessions-per-ip", "1"}, seeOneSession},
		{nil, seeDefaults},
		{[]string{"--allow-foreign"}, seeForeign},
		{[]string{"--local-time"}, seeTime(" Jan  2  2020 ")},
		{[]string{"--no-sendfile"}, seeNoSendfile},
		{[]string{"--debug"}, seeDebug},
	} {
		t.Run(strings.Join(test.options, " "), func(t *testing.T) {
			s, dir := newShare(t, test.options...)
			s.cmd.Env = append(os.Environ(), "TZ=Asia/Tokyo") // for --local-time
			s.start(t)
			late := time.Date(2020, 1, 1, 20, 0, 0, 0, time.UTC) // in Tokyo the next day
			if err := os.Chtimes(filepath.Join(dir, "hello.txt"), late, late); err != nil {
				t.Fatal(err)
			}
			test.see(t, s, dir)
		})
	}
}

func seeOneUser(t *testing.T, s *server, dir string) {
	for _, wrong := range [][2]string{{"anonymous", "guest@example.org"}, {"alice", "sesam"},
		{"Alice", "sesame"}} {
		if _, err := logIn(s.addr, wrong[0], wrong[1]); err == nil {
			t.Errorf("%s got in with %q", wrong[0], wrong[1])
		}
	}
	c := login(t, s.addr, "alice", "sesame")
	if r, err := c.store("STOR new", "text"); r.code != 550 || err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
	if data, _, _ := c.retrieve("RETR hello.txt"); data != "hello\n" {
		t.Errorf("RETR: %q", data)
	}
	if args := strings.Join(commandLine(s.cmd.Process.Pid), " "); strings.Contains(args,
		"sesame") || !strings.Contains(args, "alice") {
		t.Errorf("the list of processes shows %q", args)
	}
}

func seeOneAttempt(t *testing.T, s *server, dir string) {
	c, _, err := dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.expect(t, 331, "USER alice")
	c.expect(t, 530, "PASS wrong")
	if r, err := c.do("NOOP"); err == nil {
		t.Errorf("after one attempt the server answers %v", r)
	}
	if r, err := login(t, s.addr, "alice", "sesame").store("STOR new", "text"); r.code != 226 ||
		err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
}

func seeWarning(t *testing.T, s *server, dir string) {
	s.log.wait(t, "a warning", func(r record) bool {
		return r.Level == "warn" && strings.Contains(r.Text,
			"anybody who reaches this port may change")
	})
}

func seePublicAddress(t *testing.T, s *server, dir string) {
	if r := login(t, s.addr, "anonymous", "").expect(t, 227, "PASV"); !strings.Contains(r.text,
		"(203,0,113,7,") {
		t.Errorf("PASV: %v", r)
	}
	if start := startOf(t, s); start["public_address"] != "203.0.113.7" {
		t.Errorf("start: %v", start)
	}
}

func seePassivePort(port uint16) func(*testing.T, *server, string) {
	return func(t *testing.T, s *server, dir string) {
		r := login(t, s.addr, "anonymous", "").expect(t, 229, "EPSV")
		if !strings.Contains(r.text, fmt.Sprintf("(|||%d|)", port)) {
			t.Errorf("EPSV: %v", r)
		}
		if start := startOf(t, s); start["passive_ports"] != fmt.Sprintf("%[1]d-%[1]d", port) {
			t.Errorf("start: %v", start)
		}
	}
}

func seeBanner(t *testing.T, s *server, dir string) {
	c, greeting, err := dial(s.addr)
	if err != nil || greeting.text != "Hello there." {
		t.Fatalf("%v, %v", greeting, err)
	}
	c.conn.Close()
}

func seeIdleTimeout(t *testing.T, s *server, dir string) {
	c, _, err := dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	r := c.logIn("anonymous", "")
	if r.code == 230 { // on a busy machine the timeout may come before the login
		r, err = c.reply()
	}
	if r.code != 421 || err != nil {
		t.Errorf("%v, %v", r, err)
	}
}

func seeOneSession(t *testing.T, s *server, dir string) {
	login(t, s.addr, "anonymous", "")
	c, greeting, err := dial(s.addr)
	if err != nil || greeting.code != 421 {
		t.Fatalf("the second session reads %v, %v", greeting, err)
	}
	c.conn.Close()
}

// seeDefaults checks what the other options change.
func seeDefaults(t *testing.T, s *server, dir string) {
	c := login(t, s.addr, "anonymous", "")
	c.expect(t, 501, "PORT 192,0,2,7,200,200")
	c.expect(t, 502, "AUTH TLS")
	seeTime(" Jan  1  2020 ")(t, s, dir)
	start := startOf(t, s)
	if _, tls := start["certificate_sha256"]; tls || start["sendfile"] != true ||
		start["pid"] != float64(s.cmd.Process.Pid) || start["sandbox"] == nil {
		t.Errorf("start: %v", start)
	}
	s.log.wait(t, "a warning", func(r record) bool {
		return r.Level == "warn" &&
			strings.Contains(r.Text, "clear text")
	})
	if lines, _ := s.log.find(message("line")); len(lines) > 0 {
		t.Errorf("lines are logged: %v", lines)
	}
}

func seeForeign(t *testing.T, s *server, dir string) {
	login(t, s.addr, "anonymous", "").expect(t, 200, "PORT 192,0,2,7,200,200")
}

func seeTime(want string) func(*testing.T, *server, string) {
	return func(t *testing.T, s *server, dir string) {
		if list, r, err := login(t, s.addr, "anonymous",
			"").retrieve("LIST"); !strings.Contains(list, want) {
			t.Errorf("LIST: %q, %v, %v", list, r, err)
		}
	}
}

func seeNoSendfile(t *testing.T, s *server, dir string) {
	if start := startOf(t, s); start["sendfile"] != false {
		t.Errorf("start: %v", start)
	}
	if data, _, _ := login(t, s.addr, "anonymous",
		"").retrieve("RETR hello.txt"); data != "hello\n" {
		t.Errorf("RETR: %q", data)
	}
}

func seeDebug(t *testing.T, s *server, dir string) {
	login(t, s.addr, "anonymous", "guest@example.org")
	s.log.wait(t, "the line of PASS",
		func(r record) bool { return r.Message == "line" && r.Verb == "PASS" && r.Path == "***" })
}

// startOf returns the fields of the start record.
func startOf(t *testing.T, s *server) map[string]any {
	t.Helper()
	r := s.log.wait(t, "the start record", message("start"))
	start := map[string]any{}
	if err := json.Unmarshal([]byte(r.Text), &start); err != nil {
		t.Fatal(err)
	}
	return start
}

// TestShareStops checks that Ctrl-C lets a transfer end and accepts no new session, and that a
// second one does not wait.
func TestShareStops(t *testing.T) {
	t.Parallel()
	for _, twice := range []bool{false, true} {
		t.Run(fmt.Sprint("twice ", twice), func(t *testing.T) {
			s, dir := share(t)
			if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 32<<20),
				0o644); err != nil {
				t.Fatal(err)
			}
			c := login(t, s.addr, "anonymous", "")
			d, err := c.passive()
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if r, err := c.do("RETR big"); r.code >= 200 || err != nil {
				t.Fatal(r, err)
			}
			d.SetDeadline(time.Now().Add(patience))
			if _, err := io.ReadFull(d, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			s.cmd.Process.Signal(os.Interrupt)
			s.log.wait(t, "stop", message("stop"))
			if _, _, err := dial(s.addr); err == nil {
				t.Error("a new session was let in")
			}
			if twice {
				s.killed = true // by the signal
				s.cmd.Process.Signal(os.Interrupt)
				<-s.exited
				return
			}
			rest, err := io.Copy(io.Discard, d)
			if r, rerr := c.reply(); rest != 32<<20-1000 || r.code != 226 || err != nil ||
				rerr != nil {
				t.Errorf("%d bytes, %v, %v, %v", rest, r, err, rerr)
			}
			if r, err := c.reply(); r.code != 421 && !errors.Is(err, io.EOF) {
				t.Errorf("%v, %v", r, err)
			}
			<-s.exited
		})
	}
}
