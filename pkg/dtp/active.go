package dtp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"ftpd/pkg/transport"
)

// An Active is the Opener of PORT and EPRT: it connects to the client when the transfer command
// arrives (RFC 959 §3.2).
type Active struct {
	Client netip.AddrPort // to which it connects

	network transport.Network
	local   netip.Addr
	socket  func(context.Context) (*os.File, error)
	wait    time.Duration // 0 is without a bound
}

// Active returns an Opener that connects to the client. socket returns a socket that has begun to
// connect. If its error is errors.ErrUnsupported, the Opener connects itself: from local, or from an
// address that the system chooses if local is invalid.
func (p *Ports) Active(
	local netip.Addr, client netip.AddrPort, socket func(context.Context) (*os.File, error),
) *Active {
	return &Active{Client: client, network: p.network, local: local, socket: socket, wait: p.wait}
}

// Open connects to the client.
func (a *Active) Open(ctx context.Context) (transport.Conn, error) {
	dialing := ctx
	if a.wait > 0 {
		var cancel context.CancelFunc
		dialing, cancel = context.WithTimeout(ctx, a.wait)
		defer cancel()
	}
	c, err := a.dial(dialing)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, &OpenError{NoConnect, fmt.Errorf("connect to %s: %w", a.Client, err)}
}

func (a *Active) dial(ctx context.Context) (transport.Conn, error) {
	socket, err := a.socket(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return a.network.Dial(ctx, a.local, a.Client)
	case err != nil:
		return nil, err
	}
	return a.network.Connected(ctx, socket)
}

// Claim does nothing, because nothing exists before the connection is made.
func (*Active) Claim() error { return nil }

// Refuse does nothing.
func (*Active) Refuse(bool) {}

// Close does nothing.
func (*Active) Close() {}
