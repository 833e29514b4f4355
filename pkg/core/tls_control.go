package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ftpd/pkg/ftptls"
	"ftpd/pkg/ftpwire"
)

// startTLS puts TLS under the control connection. The handshake is a job: the session goes on receiving, for it.
func (s *Session) startTLS(ctx context.Context) {
	s.ctl.in = ftpwire.Input{} // what came in clear text ends here, half a Telnet command as well
	host := ""
	if s.host != nil {
		host = s.host.Name
	}
	c := s.srv.security.NewControl(s.conn, host)
	s.tls.control = c
	patience, late := time.Duration(s.srv.config.Limits.ConnectTimeout), errHandshakeLate
	due := s.attempt.due
	if left := time.Until(due); !due.IsZero() && (patience == 0 || left < patience) {
		patience, late = left, errLoginTimeout
	}
	s.start(ctx, &handshake{s: s, control: c, patience: patience, late: late})
}

var errHandshakeLate = errors.New("TLS handshake timeout")

// A handshake is the job of AUTH TLS, and of a connection that begins with TLS.
type handshake struct {
	s        *Session
	control  *ftptls.Control
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
	h.err = h.control.Handshake(ctx)
}

func (h *handshake) finish(ctx context.Context) { h.s.secured(ctx, h.err) }

// secured goes on after the handshake, with what the client has sent behind it. After a failure nothing can be said any more.
func (s *Session) secured(ctx context.Context, err error) {
	if err != nil {
		s.end(fmt.Errorf("TLS: %w", err))
		return
	}
	if name := s.tls.control.Complete(); name != "" {
		s.host = s.srv.hosts[ftptls.HostKey(name)]
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
	if err := s.tls.control.Put(p); err != nil {
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
		case err == ftptls.ErrNothing:
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
	case !s.tls.control.IsReady():
		return errHandshakeLate
	}
	_, err := s.tls.control.Write(p)
	return err
}

// finish closes the control connection after all that was said.
func (s *Session) finish() {
	if s.tls.control != nil && s.tls.control.IsReady() {
		s.conn.SetWriteDeadline(time.Now().Add(lastWord))
		s.tls.control.CloseWrite() // its alert tells the client that nothing was cut off
	}
	s.conn.Finish()
}
