package core

import (
	"context"
	"net/netip"
	"os"

	"ftpd/pkg/dtp"
)

// claim reserves the opener that PASV or PORT has prepared, for a transfer that begins.
func (s *Session) claim() error {
	if s.params.opener == nil {
		return errNoData
	}
	return s.params.opener.Claim()
}

// dropOpener closes the opener that PASV or PORT has prepared.
func (s *Session) dropOpener() {
	if s.params.opener != nil {
		s.params.opener.Close()
		s.params.opener = nil
	}
}

// dialer returns an Opener that connects to the client, from data.active_port if that is set.
func (s *Session) dialer(client netip.AddrPort) *dtp.Active {
	var socket func(context.Context) (*os.File, error)
	if s.srv.config.Data.ActivePort != 0 {
		socket = s.activeSocket
	}
	return s.srv.ports.Active(s.dataAddr(), client, socket)
}

// activeSocket returns a socket that is bound to data.active_port. It comes from the supervisor,
// which may bind ports below 1024.
func (s *Session) activeSocket(ctx context.Context) (*os.File, error) {
	local := s.dataAddr()
	switch {
	case local.IsValid():
	case s.ipv4():
		local = netip.IPv4Unspecified()
	default:
		local = netip.IPv6Unspecified()
	}
	return s.srv.supervisor.ActiveSocket(ctx, s.id, local)
}

// dataAddr returns the address from which data connections are made: the server's address on the
// control connection, from which the client's firewall expects them. Behind a load balancer the
// client may have the other address family; then the result is invalid and the system chooses.
func (s *Session) dataAddr() netip.Addr {
	if local := s.conn.Local().Addr(); local.Is4() == s.ipv4() {
		return local
	}
	return netip.Addr{}
}

// ipv4 reports whether the client uses IPv4. Behind a load balancer the control connection may use
// the other family.
func (s *Session) ipv4() bool { return s.conn.Remote().Addr().Is4() }
