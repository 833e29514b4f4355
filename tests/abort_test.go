//go:build linux

package tests

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAbortOfAStalledDownload checks that ABOR, whichever way it is sent, ends a download that
// the client has stopped to read, and that the session goes on. The time that it takes is logged,
// not checked; a server that is stuck shows as a timeout.
func TestAbortOfAStalledDownload(t *testing.T) {
	t.Parallel()
	s, dir := share(t)
	if err := os.Truncate(filepath.Join(dir, "hello.txt"), 1<<30); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "small.txt"), "small\n", 0o644)
	for name, send := range map[string]func(*client){
		"ftplib: all urgent": func(c *client) { c.urgent(t, "ABOR\r\n") },
		"lftp: IP, urgent DM, line": func(c *client) {
			c.conn.Write([]byte{255, 244, 255})
			c.urgent(t, "\xf2")
			c.conn.Write([]byte("ABOR\r\n"))
		},
		"commons-net: a plain line": func(c *client) { c.conn.Write([]byte("ABOR\r\n")) },
	} {
		c := login(t, s.addr, "anonymous", "guest@example.org")
		data, err := c.passive()
		if err != nil {
			t.Fatal(err)
		}
		defer data.Close()
		if r, err := c.do("RETR hello.txt"); err != nil || r.code != 150 {
			t.Fatalf("%s: RETR: %v, %v", name, r, err)
		}
		// it runs, and soon waits for its reader
		if _, err := data.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		send(c)
		for _, code := range []int{426, 226} {
			if r, err := c.reply(); err != nil || r.code != code {
				t.Errorf("%s: got %v, %v, not %d", name, r, err, code)
			}
		}
		t.Logf("%s: ended after %v", name, time.Since(began))
		if text, r, err := c.retrieve("RETR small.txt"); text != "small\n" || r.code != 226 ||
			err != nil {
			t.Errorf("%s: the next download brings %q, %v, %v", name, text, r, err)
		}
	}
}

// TestAbortByFtplib does the same with Python's ftplib.
func TestAbortByFtplib(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	s, dir := share(t)
	if err := os.Truncate(filepath.Join(dir, "hello.txt"), 1<<30); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(s.addr)
	command(t, "", "python3", "testdata/ftplib_abort.py", host, port)
}

// urgent sends text as urgent data (RFC 959 §4.1.3, ABOR).
func (c *client) urgent(t *testing.T, text string) {
	t.Helper()
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if e := raw.Write(func(fd uintptr) bool {
		_, err = unix.SendmsgN(int(fd), []byte(text), nil, nil, unix.MSG_OOB)
		return err != unix.EAGAIN
	}); e != nil || err != nil {
		t.Fatal(e, err)
	}
}
