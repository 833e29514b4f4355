//go:build linux

package tests

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A client is a small FTP client that hides nothing: every reply is left to the test. Its methods
// return errors for what is not a reply, so that goroutines may use them.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	tls  *tls.Config // nil: data connections without TLS
}

// A reply is a code and the text of all its lines.
type reply struct {
	code int
	text string
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

// dial connects and reads the greeting.
func dial(addr string) (*client, reply, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, reply{}, err
	}
	c := newClient(conn)
	greeting, err := c.reply()
	if err != nil {
		conn.Close()
		return nil, reply{}, err
	}
	return c, greeting, nil
}

func newClient(conn net.Conn) *client { return &client{conn: conn, in: bufio.NewReader(conn)} }

// login connects, logs in and sets binary transfers, or fails the test.
func login(t *testing.T, addr, user, password string) *client {
	t.Helper()
	c, err := logIn(addr, user, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	return c
}

func logIn(addr, user, password string) (*client, error) {
	c, greeting, err := dial(addr)
	if err != nil {
		return nil, err
	}
	if greeting.code != 220 {
		c.conn.Close()
		return nil, fmt.Errorf("greeted with %v", greeting)
	}
	c.do("USER " + user)
	if r, err := c.do("PASS " + password); err != nil || r.code != 230 {
		c.conn.Close()
		return nil, fmt.Errorf("login of %s: %v, %v", user, r, err)
	}
	if r, err := c.do("TYPE I"); err != nil || r.code != 200 {
		c.conn.Close()
		return nil, fmt.Errorf("TYPE I: %v, %v", r, err)
	}
	return c, nil
}

// do sends a command and reads its reply.
func (c *client) do(line string) (reply, error) {
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return reply{}, err
	}
	return c.reply()
}

// reply reads one reply, of one or several lines (RFC 959 §4.2).
func (c *client) reply() (reply, error) {
	c.conn.SetReadDeadline(time.Now().Add(patience))
	var r reply
	for first := true; ; first = false {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return r, err
		}
		line = strings.TrimRight(line, "\r\n")
		code, _ := strconv.Atoi(line[:min(3, len(line))])
		if first {
			if len(line) < 4 || code < 100 {
				return r, fmt.Errorf("not a reply: %q", line)
			}
			r = reply{code: code, text: line[4:]}
			if line[3] == ' ' {
				return r, nil
			}
			continue
		}
		r.text += "\n" + line
		if code == r.code && len(line) > 3 && line[3] == ' ' {
			return r, nil
		}
	}
}

// expect sends a command. It fails the test where the reply has another code.
func (c *client) expect(t *testing.T, code int, line string) reply {
	t.Helper()
	r, err := c.do(line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if r.code != code {
		t.Fatalf("%s: got %v, want %d", line, r, code)
	}
	return r
}

// retrieve sends RETR, LIST or another command that sends data. It returns the final reply, or
// the refusal.
func (c *client) retrieve(line string) (string, reply, error) {
	var data []byte
	r, err := c.transfer(line, func(conn net.Conn) (err error) {
		data, err = io.ReadAll(conn)
		return err
	})
	return string(data), r, err
}

// store sends STOR or another command that takes data.
func (c *client) store(line, data string) (reply, error) {
	return c.transfer(line, func(conn net.Conn) error {
		_, err := io.WriteString(conn, data)
		return err
	})
}

func (c *client) transfer(line string, move func(net.Conn) error) (reply, error) {
	conn, err := c.passive()
	if err != nil {
		return reply{}, err
	}
	defer conn.Close()
	r, err := c.do(line)
	if err != nil || r.code >= 400 {
		return r, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if c.tls != nil {
		conn = tls.Client(conn, c.tls)
	}
	if err := move(conn); err != nil {
		return r, err
	}
	conn.Close()
	return c.reply()
}

// passive opens a data connection with EPSV (RFC 2428 §3).
func (c *client) passive() (net.Conn, error) {
	r, err := c.do("EPSV")
	if err != nil {
		return nil, err
	}
	return c.dialData(r)
}

// dialData connects to the port that a reply to EPSV names.
func (c *client) dialData(r reply) (net.Conn, error) {
	_, after, _ := strings.Cut(r.text, "(|||")
	port, _, ok := strings.Cut(after, "|)")
	if r.code != 229 || !ok {
		return nil, fmt.Errorf("EPSV: %v", r)
	}
	host, _, _ := net.SplitHostPort(c.conn.RemoteAddr().String())
	return net.DialTimeout("tcp", net.JoinHostPort(host, port), patience)
}
