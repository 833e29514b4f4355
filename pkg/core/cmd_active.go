package core

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
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
	to, ok := parsePORT(trimBlanks(arg))
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
	family, to, ok := parseEPRT(trimBlanks(arg))
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

// parsePORT reads "h1,h2,h3,h4,p1,p2".
func parsePORT(arg string) (netip.AddrPort, bool) {
	var bytes [6]byte
	numbers := strings.Split(arg, ",")
	if len(numbers) != len(bytes) {
		return netip.AddrPort{}, false
	}
	for i, number := range numbers {
		n, err := strconv.ParseUint(trimBlanks(number), 10, 8)
		if err != nil {
			return netip.AddrPort{}, false
		}
		bytes[i] = byte(n)
	}
	port := uint16(bytes[4])<<8 | uint16(bytes[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(bytes[:4])), port), port > 0
}

// parseEPRT reads "|family|address|port|", with any character in place of the bars.
func parseEPRT(arg string) (family string, to netip.AddrPort, ok bool) {
	if arg == "" {
		return "", to, false
	}
	parts := strings.Split(arg, arg[:1])
	if len(parts) != 5 || parts[0] != "" || parts[4] != "" {
		return "", to, false
	}
	addr, err := netip.ParseAddr(parts[2])
	port, portErr := strconv.ParseUint(parts[3], 10, 16)
	is := map[string]bool{"1": addr.Is4(), "2": addr.Is6() && !addr.Is4In6() && addr.Zone() == ""}
	if err != nil || portErr != nil || port == 0 || !is[parts[1]] {
		return "", to, false
	}
	return parts[1], netip.AddrPortFrom(addr, uint16(port)), true
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
	s.params.opener = s.dialer(to)
	return reply(200, "Ready to connect to your port %d.", to.Port()), nil
}
