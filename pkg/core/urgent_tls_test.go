//go:build unix

package core

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// An urgentConn sends what is written as urgent data while hurry is set.
type urgentConn struct {
	*tcpClient
	hurry bool
}

func (u *urgentConn) Read(p []byte) (int, error)         { return u.conn.Read(p) }
func (u *urgentConn) Close() error                       { return u.conn.Close() }
func (u *urgentConn) LocalAddr() net.Addr                { return u.conn.LocalAddr() }
func (u *urgentConn) RemoteAddr() net.Addr               { return u.conn.RemoteAddr() }
func (u *urgentConn) SetDeadline(t time.Time) error      { return u.conn.SetDeadline(t) }
func (u *urgentConn) SetReadDeadline(t time.Time) error  { return u.conn.SetReadDeadline(t) }
func (u *urgentConn) SetWriteDeadline(t time.Time) error { return u.conn.SetWriteDeadline(t) }

func (u *urgentConn) Write(p []byte) (int, error) {
	if !u.hurry {
		return u.conn.Write(p)
	}
	u.send(string(p), syscall.MSG_OOB)
	return len(p), nil
}

// Records that arrive as urgent data are complete, over explicit and over implicit TLS:
// without SO_OOBINLINE a byte would be missing, and the session would be lost. The Telnet
// commands of lftp and Net::FTP inside the records are understood.
func TestUrgentRecords(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	for name, size := range map[string]int{"big": 64 << 20, "small": 1000} {
		if err := os.WriteFile(filepath.Join(l.supervisor.home, name),
			bytes.Repeat([]byte(name[:1]), size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	implicit, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer implicit.Close()
	go l.srv.ServeTLS(implicit) // ends with its listener
	for name, addr := range map[string]*net.TCPAddr{
		"explicit": l.addr, "implicit": implicit.Addr().(*net.TCPAddr),
	} {
		for _, abort := range []string{"ABOR\r\n", "\xff\xf4\xff\xf2ABOR\r\n"} {
			t.Run(name, func(t *testing.T) {
				c, u := dialUrgent(t, addr, name == "explicit")
				c.cmd("331 ", "USER alice")
				c.cmd("230 ", "PASS secret")
				c.cmd("200 ", "TYPE I")
				c.cmd("200 ", "PBSZ 0")
				c.cmd("200 ", "PROT C")
				stalled := c.pasv("PASV")
				defer stalled.Close()
				c.say("RETR big")
				c.expect("1")
				u.hurry = true
				io.WriteString(c.out, abort)
				c.expect("426 ")
				c.expect("226 ")
				u.hurry = false
				d := c.pasv("PASV")
				c.say("RETR small")
				c.expect("1")
				if got, err := io.ReadAll(d); err != nil ||
					!bytes.Equal(got, bytes.Repeat([]byte("s"), 1000)) {
					t.Errorf("the next download brings %d bytes, %v", len(got), err)
				}
				c.expect("226 ")
			})
		}
	}
}

// dialUrgent connects and does the handshake.
func dialUrgent(t *testing.T, addr *net.TCPAddr, explicit bool) (*tcpClient, *urgentConn) {
	conn, err := net.DialTCP("tcp", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { conn.Close() })
	c := &tcpClient{t: t, conn: conn, out: conn, r: bufio.NewReader(conn), ip: addr.IP}
	if explicit {
		c.expect("220 ")
		c.cmd("234 ", "AUTH TLS")
	}
	u := &urgentConn{tcpClient: c}
	secure := tls.Client(u, clientConfig(tls.VersionTLS13))
	c.out, c.r = secure, bufio.NewReader(secure)
	if !explicit {
		c.expect("220 ")
	}
	return c, u
}
