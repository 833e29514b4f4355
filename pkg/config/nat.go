package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// For returns the address that a PASV reply contains for a client that has connected to the
// local address: an IPv4 address, a host name, or "" for the local address itself. The zero
// value of client stands for a client outside nat.local_networks.
func (n *NAT) For(local, client netip.Addr) string {
	if client.IsValid() && n.LocalNetworks.Contains(client) {
		return ""
	}
	if own, ok := n.PublicAddresses[local]; ok {
		return own
	}
	return n.PublicAddress
}

// Names returns the host names that PASV replies need, sorted, each once.
func (n *NAT) Names() (names []string) {
	add := func(text string) {
		if _, err := netip.ParseAddr(text); err != nil && text != "" {
			names = append(names, text)
		}
	}
	add(n.PublicAddress)
	for _, text := range n.PublicAddresses {
		add(text)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// private are the networks of IPv4 that cannot be reached from the internet: those of RFC 1918,
// RFC 6598 and RFC 3927, and the host itself.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("127.0.0.0/8"),
}

// IsPrivate reports whether an IPv4 address cannot be reached from the internet.
func IsPrivate(addr netip.Addr) bool {
	return slices.ContainsFunc(private,
		func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}

// checkNAT checks the addresses of PASV replies, and the local addresses, which must be IPv4.
func (s *Source) checkNAT() {
	n := &s.Config.NAT
	s.publicName("nat.public_address", n.PublicAddress)
	for local, name := range n.PublicAddresses {
		if !local.Is4() {
			s.problem("nat.public_addresses",
				"%q: PASV is for clients that have come to an IPv4 address", local)
		}
		s.publicName("nat.public_addresses", name)
	}
}

// hostName matches a host name of DNS.
var hostName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?\.)*` +
	`[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.?$`)

// publicName checks an address or a name for PASV replies.
func (s *Source) publicName(id, name string) {
	if name == "" {
		return
	}
	addr, err := netip.ParseAddr(name)
	switch {
	case err == nil && !addr.Unmap().Is4():
		s.problem(id, "%q: a PASV reply holds an IPv4 address; EPSV needs none", name)
	case err == nil && (addr.IsUnspecified() || addr.IsMulticast()):
		s.problem(id, "no client can connect to %q", name)
	case err != nil && (!hostName.MatchString(name) || strings.Trim(name, "0123456789.") == ""):
		s.problem(id, "%q is neither an IP address nor a host name", name)
	}
}
