package core

import (
	"context"
	"net/netip"
	"os"

	"ftpd/pkg/dtp"
	"ftpd/pkg/monitor"
)

var (
	errNoActive   = reply(502, "Active data connections are switched off.")
	errPORT6      = reply(522, "PORT has no IPv6; use EPRT.")
	errForeign    = reply(501, "Data connections to other addresses than yours are not allowed.")
	errPrivileged = reply(501, "Data connections to ports below 1024 are not allowed.")
)

// port sets the address on which the client listens for the data connection (RFC 959 §4.1.2).
func (s *Session) port(_ context.Context, arg string) (Reply, error) {
	if s.params.epsvOnly {
		return Reply{}, errEPSVOnly
	}
	to, ok := dtp.ParsePORT(trimBlanks(arg))
	switch {
	case !ok:
		return Reply{}, errSyntax
	case !s.ipv4():
		return Reply{}, errPORT6
	}
	return s.dialTo(to)
}

// eprt is port for every address family (RFC 2428 §2).
func (s *Session) eprt(_ context.Context, arg string) (Reply, error) {
	if s.params.epsvOnly {
		return Reply{}, errEPSVOnly
	}
	family, to, ok := dtp.ParseEPRT(trimBlanks(arg))
	is4 := s.ipv4()
	switch {
	case !ok:
		return Reply{}, errSyntax
	case family == "1" && !is4:
		return Reply{}, errFamily6
	case family == "2" && is4:
		return Reply{}, errFamily4
	}
	return s.dialTo(to)
}

// dialTo prepares a data connection to the address that the client has sent. Hosts other than
// the client must be allowed in the configuration, since otherwise any client could make the
// server send data to a third host (RFC 2577 §3). Addresses are compared as values, because a
// client may write an address in another form.
func (s *Session) dialTo(to netip.AddrPort) (Reply, error) {
	data, client := &s.srv.config.Data, s.conn.Remote().Addr()
	switch {
	case !data.Active:
		return Reply{}, errNoActive
	case to.Addr() == client.WithZone(""):
		to = netip.AddrPortFrom(client, to.Port())
	case !data.ForeignNetworks.Contains(to.Addr()):
		return Reply{}, errForeign
	}
	if to.Port() < 1024 && !data.AllowPrivilegedPorts {
		return Reply{}, errPrivileged
	}
	s.dropOpener()
	s.params.opener = s.srv.ports.Active(s.conn.Local().Addr(), to, s.activeSocket)
	return reply(200, "Ready to connect to your port %d.", to.Port()), nil
}

// activeSocket is a dtp.SocketFunc. The socket comes from the supervisor, because a core may make no
// connection.
func (s *Session) activeSocket(
	ctx context.Context, from netip.Addr, to netip.AddrPort,
) (*os.File, error) {
	return s.srv.supervisor.ActiveSocket(ctx, s.id, monitor.ActiveWay{From: from, To: to})
}
