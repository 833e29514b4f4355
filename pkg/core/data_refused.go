package core

import (
	"errors"
	"io"
	"os"
	"time"

	"ftpd/pkg/transport"
)

// What becomes of a passive data connection when its transfer command is refused. The port goes on waiting. In clear a connection that
// stands serves the next transfer, as with other servers: lynx sends RETR to find out that a directory is none, and then LIST, both
// behind one EPSV. It does so only while the client has left it as it was accepted: what a client sends there, or its end, is that of the
// refused file, and no part of the next one. Under PROT P a connection ends, also one that comes before the next transfer command:
// basic-ftp waits for that.

// A refusedData is the state of a passive after a refusal.
type refusedData struct {
	yes     bool          // a transfer was refused, and none has begun since
	private bool          // it was under PROT P
	held    chan struct{} // nil while hold does not run; closed when it has decided
	claimed bool          // the next transfer wants the connection
	closed  bool          // the connection shall end at once
}

var (
	errSpent  = errors.New("the data connection ended with the transfer that was refused")
	errUnused = errors.New("no transfer has used the data connection within limits.connect_timeout")
)

func (p *passive) refuse(private bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused.yes, p.refused.private = true, private
	p.holdLocked()
}

// holdLocked has a connection held, or ended, whose transfer was refused. It is called whenever either may have become true.
func (p *passive) holdLocked() {
	r := &p.refused
	if !r.yes || p.conn == nil || p.err != nil {
		return
	}
	var until time.Time
	switch {
	case r.private:
		until = transport.PastDeadline
	case p.of.patient > 0:
		until = time.Now().Add(p.of.patient)
	}
	p.conn.SetReadDeadline(until)
	if r.held == nil {
		r.held = make(chan struct{})
		go p.hold(r.held) // ends when the connection is claimed, closed or used, or at the deadline
	}
}

// hold waits until the next transfer claims the connection, and ends it where that cannot have it.
func (p *passive) hold(decided chan struct{}) {
	n, err := p.conn.Read(make([]byte, 1))
	end := p.settle(n == 0 && errors.Is(err, os.ErrDeadlineExceeded))
	close(decided)
	if end != nil {
		end(p.conn)
	}
}

// settle decides what becomes of a held connection. It returns what ends it, or nil where the next transfer has it. untouched means that
// hold has read nothing.
func (p *passive) settle(untouched bool) (end func(transport.Conn)) {
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
	until := time.Now().Add(partingTime)
	if r.closed {
		until = transport.PastDeadline
	}
	p.conn.SetReadDeadline(until) // from now on close may hurry it
	if r.private {
		return waitForEnd
	}
	return transport.Conn.Linger
}

func (p *passive) claim() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &p.refused
	if r.held == nil || p.err != nil {
		r.yes = false // a connection that comes from now on is this transfer's
		return p.failureLocked()
	}
	r.claimed = true
	p.conn.SetReadDeadline(transport.PastDeadline)
	held := r.held
	p.mu.Unlock()
	<-held // hold only looks at the connection
	p.mu.Lock()
	return p.failureLocked()
}

// partingTime is how long a client may take to read that there is no transfer.
const partingTime = time.Second

// partFrom ends the data connection of an upload that was refused behind its 150, when its client has ended it. One that sends a file
// (ftplib) reads the reply only when it has sent all, and none where the connection was reset; one that has begun a handshake (basic-ftp)
// takes an end before the reply for a failure of TLS, and gives up the whole session. There is one such connection in a session: the one
// before has had its time.
func (s *Session) partFrom(c transport.Conn) {
	if s.parting != nil {
		s.parting.SetReadDeadline(transport.PastDeadline)
	}
	s.parting = c
	c.SetReadDeadline(time.Now().Add(partingTime))
	go waitForEnd(c) // ends at the deadline
}

// waitForEnd does so until the read deadline.
func waitForEnd(c transport.Conn) {
	io.Copy(io.Discard, c)
	c.Finish()
}
