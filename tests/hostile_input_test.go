//go:build linux

package tests

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostileInput checks that whatever a client sends is answered by a reply or the end of the
// connection, that others are served on, and that the memory is returned.
func TestHostileInput(t *testing.T) {
	needRoot(t)
	const clients = 100
	const mayGrow, mayKeep = 32 << 20, 8 << 20
	u := newAccount(t)
	s := serve(t, settings{"limits": "max_sessions_per_ip = 200\n"})
	attacks := []func(string, account) error{longLine, binaryNoise, pathWithNUL, pipelined}

	for _, attack := range attacks { // warms up, and shows which attack fails
		if err := attack(s.addr, u); err != nil {
			t.Error(err)
		}
	}
	other := login(t, s.addr, u.name, u.password)
	serve := func() {
		if r, err := other.store("STOR file", "text"); r.code != 226 || err != nil {
			t.Fatalf("others are not served any more: %v, %v", r, err)
		}
	}
	core := s.core(t)
	before := resident(core)
	peak := watchMemory(t, core)

	ends := make(chan error, clients)
	for i := range clients {
		go func() { ends <- attacks[i%len(attacks)](s.addr, u) }() // ends with its connection
	}
	served := 0
	for left := clients; left > 0; {
		select {
		case err := <-ends:
			left--
			if err != nil {
				t.Error(err)
			}
		default:
			serve()
			served++
		}
	}
	if served == 0 {
		t.Error("the attacks were over before another client was served: this test shows nothing")
	}
	grown := peak() - before
	t.Logf("the core had %d KiB, grew by %d KiB, served %d uploads meanwhile", before>>10,
		grown>>10, served)
	if grown >= mayGrow {
		t.Errorf("the core grew by %d KiB", grown>>10)
	}
	comesBack(t, core, before+mayKeep, serve)
}

// watchMemory samples a process until peak is called, which returns the largest size.
func watchMemory(t *testing.T, pid int) (peak func() int64) {
	var most atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // ends at stop
		defer close(stopped)
		ticks := time.NewTicker(2 * time.Millisecond)
		defer ticks.Stop()
		for {
			most.Store(max(most.Load(), resident(pid)))
			select {
			case <-ticks.C:
			case <-stop:
				return
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-stopped
		return most.Load()
	}
}

// comesBack continues to serve until the core has no more than limit: Go collects the garbage of
// a process that works, and that of an idle one only every two minutes.
func comesBack(t *testing.T, core int, limit int64, serve func()) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	for resident(core) > limit {
		select {
		case <-deadline:
			t.Fatalf("the core still has %d KiB, want at most %d", resident(core)>>10, limit>>10)
		default:
			serve()
		}
	}
}

// longLine sends a command line of 10 MiB before any login.
func longLine(addr string, _ account) error {
	c, _, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	return c.flood("a line of 10 MiB", append(bytes.Repeat([]byte("A"), 10<<20), "\r\n"...))
}

func binaryNoise(addr string, _ account) error {
	c, _, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	noise := make([]byte, 256<<10)
	rand.Read(noise)
	return c.flood("noise", noise)
}

// flood sends data, and reads until the server has closed: refusals, or nothing.
func (c *client) flood(what string, data []byte) error {
	go func() { // ends when all is sent, or the connection is closed
		c.conn.Write(data)
		c.conn.(*net.TCPConn).CloseWrite()
	}()
	for replies := 0; ; replies++ {
		r, err := c.reply()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: after %d replies: %w", what, replies, err)
		}
		if r.code < 400 {
			return fmt.Errorf("%s: got %v", what, r)
		}
	}
}

func pathWithNUL(addr string, u account) error {
	c, err := logIn(addr, u.name, u.password)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for _, verb := range []string{"CWD", "RETR", "STOR", "MKD", "DELE", "RNFR", "SIZE", "LIST"} {
		r, err := c.do(verb + " fi\x00le")
		if err != nil || r.code != 501 {
			return fmt.Errorf("%s with NUL: %v, %v", verb, r, err)
		}
	}
	if r, err := c.do("NOOP"); err != nil || r.code != 200 {
		return fmt.Errorf("NOOP after NUL: %v, %v", r, err)
	}
	return nil
}

// pipelined sends 10,000 commands before it reads a reply.
func pipelined(addr string, u account) error {
	c, err := logIn(addr, u.name, u.password)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	const commands = 10_000
	// ends when all is sent, or the connection is closed
	go io.WriteString(c.conn, strings.Repeat("NOOP\r\n", commands))
	for i := range commands {
		if r, err := c.reply(); err != nil || r.code != 200 {
			return fmt.Errorf("reply %d of pipelined commands: %v, %v", i, r, err)
		}
	}
	return nil
}
