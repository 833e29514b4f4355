//go:build linux

package tests

import (
	"sync"
	"syscall"
	"testing"
	"time"
)

// A core that dies costs its sessions, and nothing else: the next client is served by a new one, and all slots are free again.
func TestCoreIsKilled(t *testing.T) {
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
	if took > 5*time.Second { // a few milliseconds on an idle machine; this one may be busy
		t.Errorf("the next client waited %v", took)
	}
	busy.Wait()
	if r := s.log.wait(t, "core died", message("core died")); r.Cause == "" && r.Error == "" {
		t.Errorf("the log does not say what happened: %s", r.Text)
	}
	if now := s.core(t); now == old {
		t.Error("the old core still runs")
	}
	fillSlots(t, s, slots)
}

// fillSlots takes all slots, once sessions that have just ended gave theirs back, and sees the next client refused.
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
