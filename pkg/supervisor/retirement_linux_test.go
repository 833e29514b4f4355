package supervisor

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/admission"
	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
	"ftpd/pkg/roots"
)

// A bubbleCore is a replaced core whose clock is that of a synctest bubble.
type bubbleCore struct {
	begun   time.Time
	closes  bool // it reports that it has closed its listeners
	closed  chan struct{}
	moving  time.Duration // how long it reports a transfer
	drained time.Duration // when it was drained; 0: not yet
	leaves  bool          // it ends after its last transfer
	ended   chan struct{}
}

func (c *bubbleCore) Retire() error {
	if c.closes {
		close(c.closed)
	}
	return nil
}

func (c *bubbleCore) Closed() <-chan struct{} { return c.closed }

func (c *bubbleCore) Drain(time.Duration) error {
	c.drained = time.Since(c.begun)
	if c.leaves {
		time.AfterFunc(max(0, c.moving-c.drained), func() { close(c.ended) })
	}
	return nil
}

func (c *bubbleCore) Look(context.Context) []monitor.SessionState {
	return []monitor.SessionState{{Busy: time.Since(c.begun) < c.moving}}
}

// A core that was replaced may finish its transfers, however long they take, and nothing else
// keeps it.
func TestRetirement(t *testing.T) {
	const days = 3 * 24 * time.Hour
	for name, test := range map[string]struct {
		core    bubbleCore
		crowded time.Duration // when later cores crowd it out; 0: never
		drained time.Duration
		end     time.Duration
		reason  string // of its kill
	}{
		"an honest core without a transfer": {
			bubbleCore{closes: true, leaves: true}, 0, idleTimeout, idleTimeout, "",
		},
		"an honest core with a long transfer": {
			bubbleCore{closes: true, leaves: true, moving: days}, 0, idleTimeout, days, "",
		},
		"too many later cores": {
			bubbleCore{closes: true, leaves: true, moving: time.Hour}, time.Minute, time.Minute,
			time.Hour, "",
		},
		"it keeps its listeners": {
			bubbleCore{}, 0, 0, closeTimeout, "has not closed its listeners after 30s",
		},
		"it stays without a transfer": {
			bubbleCore{closes: true}, 0, idleTimeout, idleTimeout + maxIdleLooks*lookAgain,
			"no transfer runs in it",
		},
		"it stays after a transfer": {
			bubbleCore{closes: true, moving: days}, 0, idleTimeout,
			days + (maxIdleLooks-1)*lookAgain, "no transfer runs in it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := test.core
				c.begun, c.closed, c.ended = time.Now(), make(chan struct{}), make(chan struct{})
				crowded := make(chan struct{})
				if test.crowded > 0 {
					time.AfterFunc(test.crowded, func() { close(crowded) })
				}
				busy := func(s []monitor.SessionState) bool { return s[0].Busy }
				r := &retirement{core: &c, crowded: crowded, ended: c.ended, moves: busy}
				err := r.run(t.Context())
				if end := time.Since(c.begun); end != test.end || c.drained != test.drained {
					t.Errorf("drained after %v, the end after %v; want %v, %v",
						c.drained, end, test.drained, test.end)
				}
				if (err == nil) != (test.reason == "") ||
					err != nil && !strings.Contains(err.Error(), test.reason) {
					t.Errorf("it ended with %v, want %q", err, test.reason)
				}
			})
		})
	}
}

// A core cannot report a transfer of a session that has not logged in, or that it does not have.
func TestMoves(t *testing.T) {
	registry := admission.NewRegistry(config.Limits{})
	id, _ := registry.Take(netip.MustParseAddrPort("192.0.2.1:1"))
	k := &keeper{handler: &handler{registry: registry}}
	for _, test := range []struct {
		state monitor.SessionState
		login bool
		want  bool
	}{
		{monitor.SessionState{Session: id, Busy: true}, false, false},
		{monitor.SessionState{Session: "unknown", Busy: true}, true, false},
		{monitor.SessionState{Session: id}, true, false},
		{monitor.SessionState{Session: id, Busy: true}, true, true},
	} {
		if test.login {
			registry.Login(id, "alice", 0)
		}
		if got := k.moves([]monitor.SessionState{test.state}); got != test.want {
			t.Errorf("%+v, logged in %v: %v", test.state, test.login, got)
		}
	}
}

// While too many replaced cores run, changes of the mounts wait.
func TestTooManyRetired(t *testing.T) {
	set, err := roots.NewSet(config.Default(), zerolog.Nop())
	if err != nil {
		t.Skip(err)
	}
	k := &keeper{roots: set}
	for range maxRetired {
		k.retired = append(k.retired, &generation{ended: make(chan struct{})})
	}
	if mounted, answered := k.changes(); mounted != nil || answered != nil {
		t.Errorf("%d cores were replaced, and another one would be", maxRetired)
	}
	close(k.retired[3].ended)
	if mounted, answered := k.changes(); mounted == nil || answered == nil {
		t.Error("changes still wait after a core has ended")
	}
}
