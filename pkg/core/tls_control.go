package core

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"ftpd/pkg/ftpwire"
	"ftpd/pkg/transport"
)

// A secureControl is the TLS of a control connection. It stands between the bytes that Await brings and the lines: what has arrived is
// put in and read out again as far as it goes. So a session parks as it does without TLS, and holds nothing inside that nobody asks
// for; two commands in two records of one segment are two commands.
type secureControl struct {
	*tls.Conn
	wire  *controlWire
	ready bool   // the handshake is over; guarded by the session's turn, as the following
	host  string // the name by which the certificate was chosen; "": none
	named bool   // the client has named it in TLS, and may not change its mind
}

// A controlWire is what its tls.Conn reads and writes.
type controlWire struct {
	transport.Conn // writes go through; deadlines and the end are the session's

	mu      sync.Mutex
	arrived sync.Cond
	cipher  []byte // was put and not read; guarded by mu, as the following
	err     error  // nothing more will be put
	parts   bool   // a read that finds nothing fails with errNothing, instead of waiting
}

// errNothing is a read's error when all that has arrived was read. To crypto/tls it is a temporary one, after which reads go on.
var errNothing error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing has arrived" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

func (*controlWire) SetDeadline(time.Time) error      { return nil }
func (*controlWire) SetReadDeadline(time.Time) error  { return nil }
func (*controlWire) SetWriteDeadline(time.Time) error { return nil }

func (w *controlWire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.cipher) == 0 && w.err == nil && !w.parts {
		w.arrived.Wait()
	}
	switch {
	case len(w.cipher) > 0:
		n := copy(p, w.cipher)
		w.cipher = w.cipher[n:]
		return n, nil
	case w.err != nil:
		return 0, w.err
	}
	return 0, errNothing
}

// maxHandshake bounds what a client may send before the handshake has read it; crypto/tls takes no message larger than half of it.
const maxHandshake = 128 << 10

// put adds what has arrived. After the handshake p is not copied: it must stay as it is until all of it was read.
func (w *controlWire) put(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.parts && len(w.cipher) == 0:
		w.cipher = p
	case len(w.cipher)+len(p) > maxHandshake:
		return errors.New("TLS handshake is too large")
	default:
		w.cipher = append(w.cipher, p...)
	}
	w.arrived.Broadcast()
	return nil
}

// end tells the handshake that nothing more will come.
func (w *controlWire) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	w.arrived.Broadcast()
}

// inParts ends the handshake's way of reading.
func (w *controlWire) inParts() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parts = true
}

// startTLS puts TLS under the control connection. The handshake is a job: the session goes on receiving, for it.
func (s *Session) startTLS(ctx context.Context) {
	s.ctl.in = ftpwire.Input{} // what came in clear text ends here, half a Telnet command as well
	w := &controlWire{Conn: s.conn}
	w.arrived.L = &w.mu
	s.tls.binding = newBinding()
	c := &secureControl{wire: w}
	if s.host != nil {
		c.host = s.host.Name
	}
	c.Conn = tls.Server(w, s.srv.security.forControl(s.tls.binding, c.host))
	s.tls.control = c
	patience, late := time.Duration(s.srv.config.Limits.ConnectTimeout), errHandshakeLate
	due := s.attempt.due
	if left := time.Until(due); !due.IsZero() && (patience == 0 || left < patience) {
		patience, late = left, errLoginTimeout
	}
	s.start(ctx, &handshake{s: s, control: c, patience: patience, late: late})
}

var errHandshakeLate = errors.New("TLS handshake timeout")

// handshake ends when ctx does.
func (c *secureControl) handshake(ctx context.Context) error {
	c.wire.Conn.SetWriteDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() {
		c.wire.end(context.Cause(ctx))
		c.wire.Conn.SetWriteDeadline(transport.PastDeadline)
	})
	err := c.Handshake()
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

// A handshake is the job of AUTH TLS, and of a connection that begins with TLS.
type handshake struct {
	s        *Session
	control  *secureControl
	patience time.Duration // for the handshake; 0 is no limit
	late     error         // the cause when patience has ended
	err      error         // of run
}

func (*handshake) phase() phase { return phaseHandshake }

func (h *handshake) run(ctx context.Context) {
	if h.patience != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, h.patience, h.late)
		defer cancel()
	}
	h.err = h.control.handshake(ctx)
}

func (h *handshake) finish(ctx context.Context) { h.s.secured(ctx, h.err) }

// secured goes on after the handshake, with what the client has sent behind it. After a failure nothing can be said any more.
func (s *Session) secured(ctx context.Context, err error) {
	if err != nil {
		s.end(fmt.Errorf("TLS: %w", err))
		return
	}
	s.tls.control.wire.inParts()
	s.tls.control.ready = true
	if name := s.tls.control.ConnectionState().ServerName; name != "" {
		s.tls.control.host, s.tls.control.named = name, true
		s.host = s.srv.hosts[hostKey(name)]
	}
	if s.tls.implicit {
		// Some clients request PROT P on such a port, and some rely on it.
		s.tls.sized, s.tls.private = true, true
		s.say(s.banner())
	}
	s.decrypt(ctx, nil)
}

// decrypt takes what has arrived through TLS.
func (s *Session) decrypt(ctx context.Context, p []byte) {
	if err := s.tls.control.wire.put(p); err != nil {
		s.end(err)
		return
	}
	if s.phase == phaseHandshake {
		return
	}
	s.limitWrite() // TLS may have something to answer itself
	buf := s.srv.buffers.Get()
	defer s.srv.buffers.Put(buf)
	for s.phase != phaseEnded && !s.quitAnswered.Load() {
		n, err := s.tls.control.Read(buf.Data)
		if n > 0 {
			s.takeText(ctx, buf.Data[:n])
		}
		switch {
		case err == errNothing:
			return
		case err != nil:
			s.hungUp(err)
			return
		}
	}
}

// send writes to the client, through TLS once that is there.
func (s *Session) send(p []byte) error {
	switch {
	case s.tls.control == nil:
		_, err := s.conn.Write(p)
		return err
	case !s.tls.control.ready:
		return errHandshakeLate
	}
	_, err := s.tls.control.Write(p)
	return err
}

// finish closes the control connection after all that was said.
func (s *Session) finish() {
	if s.tls.control != nil && s.tls.control.ready {
		s.conn.SetWriteDeadline(time.Now().Add(lastWord))
		s.tls.control.CloseWrite() // its alert tells the client that nothing was cut off
	}
	s.conn.Finish()
}
