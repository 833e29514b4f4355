package core

import (
	"context"
	"time"

	"ftpd/pkg/ftptls"
	"ftpd/pkg/phase"
)

// A handshake is the job of AUTH TLS, and of a connection that begins with TLS.
type handshake struct {
	s       *Session
	control *ftptls.Control
	limit   time.Duration // of the handshake; 0 is no limit
	late    error         // the cause when the limit has passed
	err     error         // of run
}

func (*handshake) phase() phase.Phase { return phase.Handshake }

func (h *handshake) run(ctx context.Context) { h.err = h.control.Handshake(ctx, h.limit, h.late) }

func (h *handshake) finish(ctx context.Context) { h.s.secured(ctx, h.err) }
