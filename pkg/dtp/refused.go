package dtp

import (
	"errors"
	"io"
	"os"
	"time"

	"ftpd/pkg/transport"
)

// What becomes of a passive data connection if its transfer command is refused. The port goes on
// waiting. Without TLS an open connection serves the next transfer, as with other servers: lynx
// sends RETR to find out whether a name is a directory, and then LIST, both after one EPSV. It
// serves only as long as the client has neither sent a byte nor closed it, because these belong to
// the refused file and not to the next one. Under PROT P a connection is closed, also one that is
// accepted after the refusal and before the next transfer command: basic-ftp waits for that.

// A refusedData is the state of a Passive after a refusal.
type refusedData struct {
	pending bool          // a transfer was refused, and none has begun since
	private bool          // it was under PROT P
	decided chan struct{} // nil while hold does not run; closed when hold has decided
	claimed bool          // the next transfer waits for the connection
	closed  bool          // the connection must end at once
}

var (
	errSpent  = errors.New("the data connection ended with the transfer that was refused")
	errUnused = errors.New(
		"no transfer has used the data connection within limits.connect_timeout")
)

// Refuse begins to hold the connection, which may be accepted later.
func (p *Passive) Refuse(private bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused.pending, p.refused.private = true, private
	p.holdLocked()
}

// holdLocked starts hold, or ends its wait, if there is a connection and its transfer was refused.
// It is called whenever either may have become true.
func (p *Passive) holdLocked() {
	r := &p.refused
	if !r.pending || p.conn == nil || p.err != nil {
		return
	}
	var until time.Time
	switch {
	case r.private:
		until = transport.PastDeadline
	case p.ports.wait > 0:
		until = time.Now().Add(p.ports.wait)
	}
	p.conn.SetReadDeadline(until)
	if r.decided == nil {
		r.decided = make(chan struct{})
		go p.hold(r.decided) // ends when the connection is claimed, closed or used, or at until
	}
}

// hold waits until the next transfer claims the connection, and closes it if that transfer cannot
// have it.
func (p *Passive) hold(decided chan struct{}) {
	n, err := p.conn.Read(make([]byte, 1))
	end := p.decide(n == 0 && errors.Is(err, os.ErrDeadlineExceeded))
	close(decided)
	if end != nil {
		end(p.conn)
	}
}

// decide returns the function that closes a held connection, or nil if the next transfer has it.
// untouched reports that hold has read nothing.
func (p *Passive) decide(untouched bool) (end func(transport.Conn)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.refused
	if untouched && r.claimed && !r.private && p.conn.Silent() {
		*r = refusedData{}
		return nil
	}
	p.err = errSpent
	if untouched && !r.claimed && !r.private {
		p.err = errUnused
	}
	until := time.Now().Add(FarewellTime)
	if r.closed {
		until = transport.PastDeadline
	}
	p.conn.SetReadDeadline(until) // Close may shorten it from now on
	if r.private {
		return waitForEnd
	}
	return transport.Conn.Linger
}

// Claim takes the connection from hold. Without a held connection, one that is accepted from now on
// belongs to the transfer that begins.
func (p *Passive) Claim() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.refused
	if r.decided == nil || p.err != nil {
		r.pending = false
		return p.failureLocked()
	}
	r.claimed = true
	p.conn.SetReadDeadline(transport.PastDeadline)
	decided := r.decided
	p.mu.Unlock()
	<-decided // hold does not wait for the client any more
	p.mu.Lock()
	return p.failureLocked()
}

// FarewellTime is how long a client may take to end a data connection after its transfer was
// refused.
const FarewellTime = time.Second

// A Farewell closes the data connections of uploads that were refused after their 150, when their
// clients have closed them. A client that sends a file (ftplib) reads the reply only after it has
// sent everything, and reads none if the connection was reset. A client that has begun a handshake
// (basic-ftp) takes an end before the reply for a failure of TLS, and ends the whole session. A
// session has one Farewell, which holds one connection at a time.
type Farewell struct{ conn transport.Conn }

// Begin waits up to FarewellTime for the client's end of a connection, and then closes it. The wait
// for an earlier connection ends.
func (f *Farewell) Begin(c transport.Conn) {
	if f.conn != nil {
		f.conn.SetReadDeadline(transport.PastDeadline)
	}
	f.conn = c
	c.SetReadDeadline(time.Now().Add(FarewellTime))
	go waitForEnd(c) // ends at the deadline
}

// waitForEnd reads to the client's end, or to the read deadline, and closes the connection.
func waitForEnd(c transport.Conn) {
	io.Copy(io.Discard, c)
	c.Finish()
}
