package core

import (
	"context"
	"fmt"
	"time"

	"ftpd/pkg/ftptls"
	"ftpd/pkg/phase"
)

// startTLS puts TLS below the control connection. The handshake is a job, which gets what the
// session receives meanwhile.
func (s *Session) startTLS(ctx context.Context) {
	host := ""
	if s.host != nil {
		host = s.host.Name
	}
	c := s.ctl.StartTLS(s.srv.security, host)
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
	if name := s.ctl.TLS.Complete(); name != "" {
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
	if err := s.ctl.TLS.Put(p); err != nil {
		s.end(err)
		return
	}
	if s.phase.Is(phase.Handshake) {
		return
	}
	s.limitWrite() // TLS itself may have to write
	open := func() bool { return !s.phase.Is(phase.Ended) && !s.quitAnswered.Load() }
	err := s.ctl.ReadTLS(open, func(text []byte) { s.takeText(ctx, text) })
	if err != nil {
		s.hungUp(err)
	}
}
