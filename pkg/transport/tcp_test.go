package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// patience ends a test that hangs; no test asserts a time.
const patience = 30 * time.Second

// pair returns both ends of a TCP connection over loopback.
func pair(t *testing.T) (server Conn, client *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err = tcpListener{l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	client.SetDeadline(time.Now().Add(patience))
	server.SetDeadline(time.Now().Add(patience))
	return server, client
}

// Silent examines what the kernel has, a byte or an end, and does not wait.
func TestSilent(t *testing.T) {
	for name, arrives := range map[string]func(*net.TCPConn) error{
		"a byte":  func(c *net.TCPConn) error { _, err := c.Write([]byte("x")); return err },
		"an end":  (*net.TCPConn).CloseWrite,
		"a reset": func(c *net.TCPConn) error { c.SetLinger(0); return c.Close() },
	} {
		server, client := pair(t)
		if !server.Silent() {
			t.Error("something was there before", name)
		}
		if err := arrives(client); err != nil {
			t.Fatal(err)
		}
		for late := time.Now().Add(patience); server.Silent(); runtime.Gosched() {
			if time.Now().After(late) {
				t.Fatal("it is silent after", name)
			}
		}
	}
}

// Await returns what has arrived, ends at a deadline, and can be called again after it.
func TestAwait(t *testing.T) {
	server, client := pair(t)
	var buffers Buffers
	server.SetReadDeadline(PastDeadline)
	if _, err := server.Await(&buffers); err == nil || !err.(net.Error).Timeout() {
		t.Error("the deadline gives", err)
	}
	server.SetReadDeadline(time.Now().Add(patience))
	if _, err := client.Write([]byte("NOOP\r\n")); err != nil {
		t.Fatal(err)
	}
	buf, err := server.Await(&buffers)
	if err != nil || string(buf.Data) != "NOOP\r\n" {
		t.Fatal(buf, err)
	}
	buffers.Put(buf)
	client.CloseWrite()
	if buf, err := server.Await(&buffers); buf != nil || err != io.EOF {
		t.Error(buf, err)
	}
	if !server.Ended(0) {
		t.Error("Ended does not report the end that Await has met")
	}
}

// The peer reads everything and then the end, although bytes of its own were unread: Finish does
// not reset the connection, while Close does.
func TestFinishDoesNotReset(t *testing.T) {
	server, client := pair(t)
	text := bytes.Repeat([]byte("reply\r\n"), 1000)
	if _, err := client.Write([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Write(text); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(patience); server.Unacknowledged() > 0; runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatal("the text is not acknowledged")
		}
	}
	if err := server.Finish(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, then %v", len(got), err)
	}
}

// A busy port has an error of its own, because the next port may be free.
func TestListenOnBusyPort(t *testing.T) {
	l, err := TCP.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := addrPort(l.(tcpListener).l.Addr())
	if _, err := TCP.Listen(at); !errors.Is(err, ErrPortBusy) {
		t.Error(err)
	}
}
