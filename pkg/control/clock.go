package control

import (
	"time"

	"ftpd/pkg/transport"
)

// A Clock decides when a session is idle for too long. The read deadline moves only when it has
// passed, not for each line; Expired then reports whether the session's time is over.
type Clock struct {
	Active time.Time     // of the last line, or of the end of other work
	Idle   time.Duration // how long the session may be idle; 0 is no limit

	deadline time.Time // the read deadline in force; zero if there is none
}

// Due returns the time at which the session times out: at the limit, if that is not zero, or when it
// has been idle for too long. Zero is never.
func (c *Clock) Due(limit time.Time) time.Time {
	if c.Idle > 0 {
		if t := c.Active.Add(c.Idle); limit.IsZero() || t.Before(limit) {
			return t
		}
	}
	return limit
}

// Arm sets the read deadline of the connection if none comes before due.
func (c *Clock) Arm(conn transport.Conn, due time.Time) {
	if !due.IsZero() && (c.deadline.IsZero() || due.Before(c.deadline)) {
		c.deadline = due
		conn.SetReadDeadline(due)
	}
}

// Disarm removes the read deadline, which has passed. A deadline also passes because the client was
// active after it was set.
func (c *Clock) Disarm(conn transport.Conn) {
	c.deadline = time.Time{}
	conn.SetReadDeadline(c.deadline)
}
