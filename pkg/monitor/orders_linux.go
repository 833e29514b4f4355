package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Orders are the functions of a core that carry out the orders of the supervisor. Except Drain
// and Retire, which run in goroutines of their own, they run in the goroutine of Client.Run
// and must not wait.
type Orders struct {
	// Drain accepts no more connections, lets running transfers end within the timeout, and
	// ends the process.
	Drain func(timeout time.Duration)
	// Retire accepts no more connections, calls Client.Closed, and ends the process with the last
	// session.
	Retire func()
	// Sessions returns the states of the sessions.
	Sessions func() []SessionState
	// Kick ends a session. It reports whether the core has it.
	Kick func(session string) bool
	// Displace ends a session because another client takes its place. It reports whether the core
	// has the session.
	Displace func(session string) bool
	// Found sets the address that PASV names for a host name of [nat].
	Found func(FoundName)
	// Exchange sets the certificate for a host. An error ends the core, because the supervisor
	// must not send such a certificate.
	Exchange func(Certificate) error
}

// order returns the function for a rule that parses the body of an order.
func order[B any](obey func(Orders, B) error) func(*Client, Orders, message) error {
	return func(_ *Client, o Orders, m message) error {
		var body B
		if err := json.Unmarshal(m.Body, &body); err != nil {
			return err
		}
		return obey(o, body)
	}
}

const drain kind = "drain"

type drainBody struct {
	Timeout time.Duration `json:"timeout"`
}

// Drain makes the core accept no more connections, let running transfers end within the
// timeout, and end.
func (s *Server) Drain(timeout time.Duration) error {
	return s.send(drain, drainBody{Timeout: timeout})
}

func (o Orders) drain(b drainBody) error {
	go o.Drain(b.Timeout) // ends with the process
	return nil
}

const (
	retire kind = "retire"
	closed kind = "closed"
)

// Retire makes the core close its listeners, report that, and end with the last of its sessions.
func (s *Server) Retire() error {
	s.retired.Store(true)
	return s.send(retire, struct{}{})
}

func (c *Client) retire(o Orders, _ message) error {
	go o.Retire() // ends with the process
	return nil
}

// Closed reports to the supervisor that the core, which was retired, has closed its listeners and
// calls Admit no more.
func (c *Client) Closed() error { return c.send(closed, 0, struct{}{}) }

// Closed returns a channel that is closed when the core has reported that it has closed its
// listeners.
func (s *Server) Closed() <-chan struct{} { return s.closed }

func (s *Server) reportedClosed(context.Context, rule, message) error {
	if !s.retired.Load() || s.hasClosed() {
		return errors.New("core reported closed listeners without an order")
	}
	close(s.closed)
	return nil
}

// hasClosed reports whether the core has closed its listeners.
func (s *Server) hasClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

const exchange kind = "exchange"

// Exchange replaces the certificate that the core shows for a host.
func (s *Server) Exchange(c Certificate) error { return s.send(exchange, c) }

func (o Orders) exchange(c Certificate) error { return o.Exchange(c) }

const nameFound kind = "name-found"

// Found sends the present address of a host name of [nat].
func (s *Server) Found(f FoundName) error { return s.send(nameFound, f) }

func (o Orders) nameFound(f FoundName) error {
	o.Found(f)
	return nil
}

const kick kind = "kick"

// A kickBody is the body of kick and displace.
type kickBody struct {
	Session string `json:"session"`
}

// Kick makes the core end a session.
func (s *Server) Kick(session string) error { return s.send(kick, kickBody{Session: session}) }

func (o Orders) kick(b kickBody) error {
	o.Kick(b.Session)
	return nil
}

const displace kind = "displace"

// Displace makes the core end a session because another client takes its place. It does nothing
// if the core does not have the session.
func (s *Server) Displace(session string) error {
	if !s.has(session) {
		return nil
	}
	return s.send(displace, kickBody{Session: session})
}

func (o Orders) displace(b kickBody) error {
	o.Displace(b.Session)
	return nil
}
