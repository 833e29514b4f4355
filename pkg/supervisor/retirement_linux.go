package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ftpd/pkg/monitor"
)

// The times of a core that was replaced. They are the supervisor's own: a core that was taken over
// may disregard its orders. Only the time of transfers has no limit.
const (
	// closeTimeout bounds the time until the core has closed its listeners. An honest core waits at
	// most for the PROXY headers of the connections that it has accepted, 10 seconds.
	closeTimeout = 30 * time.Second
	// idleTimeout is how long sessions without a transfer stay.
	idleTimeout = 10 * time.Minute
	// After that the core is looked at every lookAgain. It is killed when no transfer has run in
	// maxIdleLooks looks in a row. An honest core has ended with its last transfer long before.
	lookAgain    = 10 * time.Second
	maxIdleLooks = 6
)

// A retiringCore is a core that another one has replaced. *monitor.Server implements it, and in
// tests a core that lives in a bubble of package synctest.
type retiringCore interface {
	Retire() error
	Closed() <-chan struct{}
	Drain(timeout time.Duration) error
	Look(context.Context) []monitor.SessionState
}

// A retirement is the rest of the life of a core that was replaced.
type retirement struct {
	core    retiringCore
	crowded <-chan struct{} // closed when there are too many such cores
	ended   <-chan struct{} // closed when the process has ended
	// moves reports whether one of the sessions has a transfer.
	moves func([]monitor.SessionState) bool
}

// run lets the core finish its sessions. It returns nil when the core has ended, or else the reason
// why it must be killed.
func (r *retirement) run(ctx context.Context) error {
	idle := time.After(idleTimeout)
	if err := r.core.Retire(); err != nil {
		return fmt.Errorf("order the core to retire: %w", err)
	}
	select {
	case <-r.ended:
		return nil
	case <-r.core.Closed():
	case <-time.After(closeTimeout):
		return fmt.Errorf("the core was replaced, and has not closed its listeners after %v",
			closeTimeout)
	}
	select {
	case <-r.ended:
		return nil
	case <-r.crowded:
	case <-idle:
	}
	return r.finishTransfers(ctx)
}

// finishTransfers ends the sessions without a transfer, and returns as run does.
//
// A core that was taken over can move bytes for a client of its own, or only report that it does.
// Both look like a slow transfer, so that it can stay until the service ends.
func (r *retirement) finishTransfers(ctx context.Context) error {
	if err := r.core.Drain(forever); err != nil {
		return fmt.Errorf("order the core to end: %w", err)
	}
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for idle := 0; idle < maxIdleLooks; idle++ {
		select {
		case <-r.ended:
			return nil
		case <-ticker.C:
		}
		if r.moves(r.core.Look(ctx)) {
			idle = -1
		}
	}
	return errors.New("the core was replaced, and has not ended although no transfer runs in it")
}
