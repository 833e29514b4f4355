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

// A SocketFunc returns a socket that has begun to connect to a client. If from is invalid, the system
// chooses the address of this end.
type SocketFunc func(
	ctx context.Context, from netip.Addr, to netip.AddrPort,
) (*os.File, error)

// An Active is the Opener of PORT and EPRT: it connects to the client when the transfer command
// arrives (RFC 959 §3.2).
type Active struct {
	Client netip.AddrPort // to which it connects

	network transport.Network
	local   netip.Addr
	socket  SocketFunc
	wait    time.Duration // 0 is without a bound
}

// Active returns an Opener that connects to the client. It connects from local, the server's address
// on the control connection, because the client's firewall expects data connections from there.
// Behind a load balancer the client may have the other address family; then the system chooses the
// address. socket returns the socket; if its error is errors.ErrUnsupported, the Opener connects
// itself.
func (p *Ports) Active(
	local netip.Addr, client netip.AddrPort, socket SocketFunc,
) *Active {
	if local.Is4() != client.Addr().Is4() {
		local = netip.Addr{}
	}
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
	socket, err := a.socket(ctx, a.local, a.Client)
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
