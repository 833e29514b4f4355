package core

import (
	"context"
	"fmt"
	"time"

	"ftpd/pkg/ftptls"
	"ftpd/pkg/ftpwire"
)

// startTLS puts TLS below the control connection. The handshake is a job, which gets what the
// session receives meanwhile.
func (s *Session) startTLS(ctx context.Context) {
	s.ctl.in = ftpwire.Input{} // half a Telnet command in clear text does not go on within TLS
	host := ""
	if s.host != nil {
		host = s.host.Name
	}
	c := s.srv.security.NewControl(s.conn, host)
	s.tls.control = c
	limit, late := time.Duration(s.srv.config.Limits.ConnectTimeout), ftptls.ErrLate
	due := s.attempt.due
	if left := time.Until(due); !due.IsZero() && (limit == 0 || left < limit) {
		limit, late = left, errLoginTimeout
	}
	s.start(ctx, &handshake{s: s, control: c, limit: limit, late: late})
}

// secured continues the session after the handshake, with what the client has sent behind it. After
// a failure no reply can be sent any more.
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

// decrypt passes received bytes through TLS and handles the lines that result.
func (s *Session) decrypt(ctx context.Context, p []byte) {
	if err := s.tls.control.Put(p); err != nil {
		s.end(err)
		return
	}
	if s.phase == phaseHandshake {
		return
	}
	s.limitWrite() // TLS itself may have to write
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

// send writes to the client, through TLS where that is in use.
func (s *Session) send(p []byte) error {
	switch {
	case s.tls.control == nil:
		_, err := s.conn.Write(p)
		return err
	case !s.tls.control.IsReady():
		return ftptls.ErrLate
	}
	_, err := s.tls.control.Write(p)
	return err
}

// finish closes the control connection after all replies were sent.
func (s *Session) finish() {
	if s.tls.control != nil && s.tls.control.IsReady() {
		s.conn.SetWriteDeadline(time.Now().Add(lastWord))
		s.tls.control.CloseWrite() // its alert shows the client that nothing was cut off
	}
	s.conn.Finish()
}
