//go:build linux

package tests

import (
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestCoreIsKilled checks that a core that dies costs its sessions alone: the next client is
// served by a new core, and all slots are free again.
func TestCoreIsKilled(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const slots = 8
	u := newAccount(t)
	s := serve(t, settings{"limits": "max_sessions = 8\n"})

	var busy sync.WaitGroup
	for range slots {
		c := login(t, s.addr, u.name, u.password)
		busy.Go(func() { // ends when the core is gone
			for {
				if _, err := c.store("STOR load", "some bytes"); err != nil {
					return
				}
			}
		})
	}
	s.log.wait(t, "the load", message("upload"))
	old := s.core(t)
	syscall.Kill(old, syscall.SIGKILL)
	killed := time.Now()
	c, greeting, err := dial(s.addr)
	took := time.Since(killed)
	if err != nil || greeting.code != 220 {
		t.Fatalf("the next client got %v, %v", greeting, err)
	}
	c.conn.Close()
	t.Logf("the next client was greeted %v after the core was killed", took.Round(time.Millisecond))
	busy.Wait()
	if r := s.log.wait(t, "core died", message("core died")); r.Cause == "" && r.Error == "" {
		t.Errorf("the log does not have the cause: %s", r.Text)
	}
	if now := s.core(t); now == old {
		t.Error("the old core still runs")
	}
	fillSlots(t, s, slots)
}

// TestClientsBeforeTheCore checks that clients that wait at the listener before there is a core
// are greeted by the new core, and do not disturb its start.
func TestClientsBeforeTheCore(t *testing.T) {
	t.Parallel()
	needRoot(t)
	s := serve(t, nil)
	core := s.core(t)
	s.cmd.Process.Signal(syscall.SIGSTOP) // so that no core follows yet
	syscall.Kill(core, syscall.SIGKILL)
	var waiting []net.Conn
	for range 20 {
		conn, err := net.DialTimeout("tcp", s.addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		waiting = append(waiting, conn)
	}
	s.cmd.Process.Signal(syscall.SIGCONT)
	for _, conn := range waiting {
		if r, err := newClient(conn).reply(); err != nil || r.code != 220 {
			t.Errorf("greeted with %v, %v", r, err)
		}
	}
	if died, _ := s.log.find(message("core died")); len(died) != 1 {
		t.Errorf("%d cores died", len(died))
	}
}

// fillSlots takes all slots, after sessions that have just ended have returned theirs, and checks
// that the next client is refused.
func fillSlots(t *testing.T, s *server, slots int) {
	t.Helper()
	for i := range slots {
		eventually(t, "a slot is free", func() bool {
			c, greeting, err := dial(s.addr)
			if err != nil {
				t.Fatalf("session %d: %v", i, err)
			}
			t.Cleanup(func() { c.conn.Close() })
			return greeting.code == 220
		})
	}
	if _, greeting, err := dial(s.addr); err != nil || greeting.code != 421 {
		t.Errorf("one client too many got %v, %v", greeting, err)
	}
}
