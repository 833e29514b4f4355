package core

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"time"

	"ftpd/pkg/transport"
)

var errNoConnect = reply(425, "Cannot open the data connection.")

// An active opener connects to where PORT or EPRT said that the client listens, when the transfer command comes (RFC 959 §3.2).
type active struct {
	network transport.Network
	local   netip.Addr                              // the control connection's: a client's firewall expects the data to come from there
	socket  func(context.Context) (*os.File, error) // bound to data.active_port; nil: any port
	client  netip.AddrPort
	patient time.Duration // 0 is for ever
}

// dialer prepares a connection to where the client listens.
func (s *Session) dialer(client netip.AddrPort) *active {
	a := &active{network: s.srv.ports.network, local: s.from(), client: client, patient: s.srv.ports.patient}
	if s.srv.config.Data.ActivePort != 0 {
		a.socket = s.activeSocket
	}
	return a
}

// from returns the address from which data connections are made: the server's address on the
// control connection, from which the client's firewall expects them. Behind a load balancer the
// client may have the other address family; then the result is invalid and the system chooses.
func (s *Session) from() netip.Addr {
	if local := s.conn.Local().Addr(); local.Is4() == s.ipv4() {
		return local
	}
	return netip.Addr{}
}

// ipv4 reports whether the client uses IPv4. Behind a load balancer the control connection may use
// the other family.
func (s *Session) ipv4() bool { return s.conn.Remote().Addr().Is4() }

// activeSocket asks the supervisor, who alone may bind a port below 1024.
func (s *Session) activeSocket(ctx context.Context) (*os.File, error) {
	local := s.from()
	switch {
	case local.IsValid():
	case s.ipv4():
		local = netip.IPv4Unspecified()
	default:
		local = netip.IPv6Unspecified()
	}
	return s.srv.supervisor.ActiveSocket(ctx, s.id, local)
}

func (a *active) open(ctx context.Context) (transport.Conn, error) {
	dialing := ctx
	if a.patient > 0 {
		var cancel context.CancelFunc
		dialing, cancel = context.WithTimeout(ctx, a.patient)
		defer cancel()
	}
	c, err := a.dial(dialing)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, errNoConnect.Because(fmt.Errorf("connect to %s: %w", a.client, err))
}

func (a *active) dial(ctx context.Context) (transport.Conn, error) {
	if a.socket == nil {
		return a.network.Dial(ctx, a.local, a.client)
	}
	socket, err := a.socket(ctx)
	if err != nil {
		return nil, err
	}
	return a.network.DialOn(ctx, socket, a.client)
}

// Nothing is there before the dial, so there is nothing to take or to end.

func (*active) claim() error { return nil }
func (*active) refuse(bool)  {}
func (*active) close()       {}
