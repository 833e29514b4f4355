//go:build linux

package tests

import (
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestNextLoginDuringTransfer covers a client that reads replies before it reads data, sends REIN
// in the middle of a download, as pyftpdlib's tests do, and logs in as another user. The download
// stays that of the first user, and is logged under that name.
func TestNextLoginDuringTransfer(t *testing.T) {
	t.Parallel()
	needRoot(t)
	first, second := newAccount(t), newAccount(t)
	content := make([]byte, 32<<20) // more than sockets hold
	rand.Read(content)
	first.file(t, "big", string(content), first.uid, first.gid, 0o600)
	s := serve(t, nil)
	c := login(t, s.addr, first.name, first.password)
	data, err := c.passive()
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	c.expect(t, 150, "RETR big")
	c.expect(t, 230, "REIN")
	c.expect(t, 530, "PWD")
	c.expect(t, 331, "USER "+second.name)
	c.expect(t, 230, "PASS "+second.password)
	c.expect(t, 257, "MKD mine")
	belongsTo(t, filepath.Join(second.home, "mine"), second.uid, second.gid)
	got, err := io.ReadAll(data)
	if err != nil || string(got) != string(content) {
		t.Errorf("%d of %d bytes came (%v)", len(got), len(content), err)
	}
	if r, err := c.reply(); err != nil || r.code != 226 {
		t.Errorf("the end of the download: %v, %v", r, err)
	}
	if got, r, err := c.retrieve("NLST mine"); err != nil || r.code != 226 || got != "" {
		t.Errorf("NLST mine: %q, %v, %v", got, r, err)
	}
	c.expect(t, 221, "QUIT")
	for _, want := range []struct{ message, user string }{
		{"logout", first.name}, {"login", second.name}, {"download", first.name},
		{"logout", second.name},
	} {
		s.log.wait(t, want.message+" of "+want.user,
			func(r record) bool { return r.Message == want.message && r.User == want.user })
	}
}

// What a login has begun is recorded under its name, although another user has logged in before it ends: a listing whose client does
// not read, and a checksum of a file without an end in sight.
func TestFormerLoginIsRecorded(t *testing.T) {
	t.Parallel()
	needRoot(t)
	first, second := newAccount(t), newAccount(t)
	first.file(t, "endless", "", first.uid, first.gid, 0o600)
	if err := os.Truncate(filepath.Join(first.home, "endless"), 1<<40); err != nil {
		t.Fatal(err)
	}
	s := serve(t, nil)
	for _, begin := range []struct {
		verb, line string
		code       int // of the reply before the end; 0: there is none
	}{{"NLST", "NLST -F", 150}, {"HASH", "HASH endless", 0}} {
		c := login(t, s.addr, first.name, first.password)
		if begin.code == 0 {
			if _, err := io.WriteString(c.conn, begin.line+"\r\n"); err != nil {
				t.Fatal(err)
			}
		} else {
			c.expect(t, 227, "PASV") // where nobody connects
			c.expect(t, begin.code, begin.line)
		}
		c.expect(t, 230, "REIN")
		c.expect(t, 331, "USER "+second.name)
		c.expect(t, 230, "PASS "+second.password)
		c.expect(t, 426, "ABOR")
		if r, err := c.reply(); err != nil || r.code != 226 {
			t.Errorf("the reply to ABOR: %v, %v", r, err)
		}
		c.expect(t, 221, "QUIT")
		r := s.log.wait(t, "the refusal of "+begin.verb, func(r record) bool { return r.Message == "command" && r.Verb == begin.verb })
		if r.User != first.name {
			t.Errorf("%s of %s was recorded under the name of %s (%s is logged in now)", begin.verb, first.name, r.User, second.name)
		}
	}
}
