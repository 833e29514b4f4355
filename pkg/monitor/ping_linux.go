package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	ping kind = "ping"
	pong kind = "pong"
)

// A core is silent if maxUnanswered pings have no answer pingInterval after the last of them. Pings
// are counted, and not only the time, because a host that was suspended for a minute continues with
// a clock that is a minute later.
const (
	pingInterval  = 10 * time.Second
	maxUnanswered = 3
)

var errSilent = fmt.Errorf("the core has not answered a ping for %v: it hangs, or a signal has "+
	"stopped it", maxUnanswered*pingInterval)

// next returns the next message of the core. It sends a ping whenever it has waited pingInterval
// in all. The time in which the supervisor itself is busy does not count, so that a log that is
// slow ends no core.
func (s *Server) next(buf []byte) (message, error) {
	for {
		begun := time.Now()
		// Even if the time is over, what has arrived is read before a core is called silent.
		wait := max(s.pingInterval-s.waited, s.pingInterval/10)
		if err := s.conn.SetReadDeadline(begun.Add(wait)); err != nil {
			return message{}, err
		}
		// Without room for descriptors, the kernel drops those of a core, and receive fails.
		m, _, err := receive(s.conn, buf, nil)
		s.waited += time.Since(begun)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return m, err
		}
		if err := s.ping(); err != nil {
			return message{}, err
		}
	}
}

// ping sends a ping. It returns errSilent if too many have no answer. It does nothing before the
// core is ready, because a start has its own time limit.
func (s *Server) ping() error {
	s.waited = 0
	if s.state != serving {
		return nil
	}
	if s.unanswered == maxUnanswered {
		return errSilent
	}
	s.unanswered++
	if err := s.send(ping, struct{}{}); err != nil {
		return fmt.Errorf("send a ping: %w", err)
	}
	return nil
}

// ping answers in a goroutine, because the reader must not wait until the supervisor reads.
func (c *Client) ping(Orders, message) error {
	go func() { _ = c.send(pong, 0, struct{}{}) }() // ends when it is sent
	return nil
}

func (s *Server) pong(context.Context, rule, message) error {
	if s.unanswered == 0 {
		return errors.New("core answered a ping that was not sent")
	}
	s.unanswered--
	return nil
}
