//go:build linux

package tests

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// portArgument returns the argument of PORT for an address.
func portArgument(at netip.AddrPort) string {
	a := at.Addr().As4()
	return fmt.Sprintf("PORT %d,%d,%d,%d,%d,%d", a[0], a[1], a[2], a[3], at.Port()>>8,
		at.Port()&0xff)
}

// TestForeignAddressesAreRefused checks that without data.foreign_networks the server connects to
// the client alone, and accepts the client alone at the passive port: another address loses the
// connection, and the client is accepted after it (RFC 2577).
func TestForeignAddressesAreRefused(t *testing.T) {
	t.Parallel()
	p := serveAt(t, "127.0.0.1 ::1", "", nil)
	c := p.comes(t, "127.0.0.5", "127.0.0.1")
	for _, line := range []string{"PORT 127,0,0,6,19,137", "EPRT |1|127.0.0.6|5001|",
		"PORT 127,0,0,5,3,255", "EPRT |1|127.0.0.5|80|", "PORT 0,0,0,0,19,137"} {
		c.expect(t, 501, line)
	}
	six := p.comes(t, "::1", "::1")
	six.expect(t, 501, "EPRT |2|2001:db8::1|5001|")

	at := c.pasv(t)
	c.expect(t, 150, "STOR up")
	for range 3 {
		stranger := balanced(t, "127.0.0.6", at, "stolen")
		stranger.SetReadDeadline(time.Now().Add(patience))
		if _, err := stranger.Read(make([]byte, 1)); err != io.EOF &&
			!errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a stranger at the passive port: %v", err)
		}
	}
	balanced(t, "127.0.0.5", at, "mine").Close()
	if r, err := c.reply(); err != nil || r.code != 226 {
		t.Errorf("STOR: %v, %v", r, err)
	}
	if got := readFile(t, filepath.Join(p.home, "up")); got != "mine" {
		t.Errorf("%q has arrived", got)
	}
}

// TestForeignNetworks checks that a client can have one server send a file to the other (FXP)
// where both servers allow it, and that other networks are still refused.
func TestForeignNetworks(t *testing.T) {
	t.Parallel()
	from := serveAt(t, "127.0.0.1", `data.foreign_networks = ["127.0.0.2"]`, nil)
	to := serveAt(t, "127.0.0.2", `data.foreign_networks = ["127.0.0.1"]`, nil)
	text := strings.Repeat("from server to server\n", 100_000)
	writeFile(t, filepath.Join(from.home, "f"), text, 0o644)
	source, sink := from.comes(t, "127.0.0.5", "127.0.0.1"), to.comes(t, "127.0.0.5", "127.0.0.2")

	source.expect(t, 200, portArgument(sink.pasv(t)))
	sink.expect(t, 150, "STOR f")
	source.expect(t, 150, "RETR f")
	for who, c := range map[string]*client{"source": source, "sink": sink} {
		if r, err := c.reply(); err != nil || r.code != 226 {
			t.Errorf("%s: %v, %v", who, r, err)
		}
	}
	if got := readFile(t, filepath.Join(to.home, "f")); got != text {
		t.Errorf("%d bytes of %d have arrived", len(got), len(text))
	}
	source.expect(t, 501, "PORT 127,0,0,3,19,137")
	source.expect(t, 200, "PORT 127,0,0,5,19,137")
}

// TestPrivilegedDataPorts checks that data.allow_privileged_ports opens ports below 1024 of the
// client's own address, and no other address.
func TestPrivilegedDataPorts(t *testing.T) {
	t.Parallel()
	p := serveAt(t, "127.0.0.1", "data.allow_privileged_ports = true", nil)
	writeFile(t, filepath.Join(p.home, "f"), "text", 0o644)
	l, err := net.Listen("tcp", "127.0.0.5:1023")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	c := p.comes(t, "127.0.0.5", "127.0.0.1")
	c.expect(t, 501, "PORT 127,0,0,6,3,255")
	c.expect(t, 200, "PORT 127,0,0,5,3,255")
	c.expect(t, 150, "RETR f")
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestPassiveRangeIsBusy checks that the passive range is never left: where its ports are taken,
// PASV and EPSV get 425 until one is free again.
func TestPassiveRangeIsBusy(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	p := serveAt(t, "127.0.0.1", fmt.Sprintf("data.passive_ports = \"%d\"", port), nil)
	c, other := p.comes(t, "127.0.0.1", "127.0.0.1"), p.comes(t, "127.0.0.1", "127.0.0.1")
	if got := c.pasv(t); got.Port() != port {
		t.Errorf("the port is %d, not %d", got.Port(), port)
	}
	other.expect(t, 425, "EPSV")
	other.expect(t, 425, "PASV")
	p.log.wait(t, "the cause", func(r record) bool {
		return r.Reply == 425 && strings.Contains(r.Cause, "all passive ports of") &&
			strings.Contains(r.Cause, "are busy")
	})
	c.expect(t, 221, "QUIT")
	eventually(t, "the port is free again",
		func() bool { r, err := other.do("EPSV"); return err == nil && r.code == 229 })
}
