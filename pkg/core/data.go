package core

import (
	"context"
	"net/netip"
	"os"

	"ftpd/pkg/dtp"
	"ftpd/pkg/monitor"
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

// dialer returns an Opener that connects to the client. The socket comes from the supervisor,
// because a core may make no connection.
func (s *Session) dialer(client netip.AddrPort) *dtp.Active {
	way := monitor.ActiveWay{From: s.dataAddr(), To: client}
	return s.srv.ports.Active(way.From, client, func(ctx context.Context) (*os.File, error) {
		return s.srv.supervisor.ActiveSocket(ctx, s.id, way)
	})
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
