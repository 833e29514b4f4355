package monitor

import (
	"context"
	"errors"
	"fmt"
)

const sign kind = "sign"

type signAnswer struct {
	Signature []byte `json:"signature,omitempty"`
}

// Sign implements Supervisor.
func (c *Client) Sign(ctx context.Context, h Handshake) ([]byte, error) {
	var a signAnswer
	if err := c.call(ctx, sign, h, &a); err != nil {
		return nil, err
	}
	if len(a.Signature) == 0 {
		return nil, errors.New("the supervisor did not sign")
	}
	return a.Signature, nil
}

func (s *Server) sign(ctx context.Context, r request, h Handshake) error {
	if err := h.Check(); err != nil {
		return fmt.Errorf("core requested a signature of %w", err)
	}
	inBackground(ctx, r, func(ctx context.Context) {
		signature, err := s.sup.Sign(ctx, h)
		if err != nil {
			// The handshake fails. This happens if the certificate was exchanged meanwhile.
			signature = nil
		}
		s.reply(r, signAnswer{Signature: signature})
	})
	return nil
}
