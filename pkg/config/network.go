package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// An Address is the address and port of a listener, written "[::]:21", "192.0.2.1:21", or ":21"
// for all addresses. With port 0 the system chooses the port.
type Address struct{ netip.AddrPort }

// UnmarshalText reads an IP address and a port. It refuses host names, because their addresses
// may change while the service runs.
func (a *Address) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		*a = Address{}
		return nil
	}
	if strings.HasPrefix(s, ":") && !strings.HasPrefix(s, "::") {
		s = "[::]" + s
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || strings.ContainsFunc(ap.Addr().Zone(), unicode.IsControl) {
		return fmt.Errorf("%q is not an address and port "+
			"such as \"[::]:21\", \"192.0.2.1:21\" or \":21\"", text)
	}
	*a = Address{ap}
	return nil
}

// A Network is an IP prefix or a single address, without a zone. IPv4 in the form of IPv6 is
// stored as IPv4.
type Network struct{ netip.Prefix }

// UnmarshalText reads "10.0.0.0/8", "2001:db8::/32", "192.0.2.1" or "::1".
func (n *Network) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "" {
		*n = Network{}
		return nil
	}
	p, err := netip.ParsePrefix(s)
	if addr, addrErr := netip.ParseAddr(s); addrErr == nil && addr.Zone() == "" {
		p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return fmt.Errorf("%q is not a network such as \"10.0.0.0/8\", "+
			"or an address such as \"192.0.2.1\"", text)
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return fmt.Errorf("%q has bits set beyond its length; "+
			"the network is %q, the address alone %q", text, p.Masked(), p.Addr())
	}
	*n = Network{p}
	return nil
}

func (n Network) String() string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.Prefix.String()
}

// MarshalText returns the prefix, or the address if the network contains one address only.
func (n Network) MarshalText() ([]byte, error) {
	if !n.IsValid() {
		return nil, nil
	}
	return []byte(n.String()), nil
}

// Contains reports whether addr is in the network. An IPv4 address in the form of IPv6 counts as
// IPv4; a zone is ignored.
func (n Network) Contains(addr netip.Addr) bool {
	return n.Prefix.Contains(addr.Unmap().WithZone(""))
}

// Networks are several networks. An empty list contains no address; each key defines what it
// means.
type Networks []Network

// Contains reports whether addr is in one of the networks.
func (ns Networks) Contains(addr netip.Addr) bool {
	for _, n := range ns {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// A PortRange is a range of ports, written "50000-50999". With the zero value the system chooses
// the ports.
type PortRange struct{ First, Last uint16 }

// UnmarshalText reads two ports with a hyphen between them, or a single port. "" is the zero
// value.
func (r *PortRange) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*r = PortRange{}
		return nil
	}
	low, high, isRange := strings.Cut(string(text), "-")
	if !isRange {
		high = low
	}
	first, err := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	last, lastErr := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	switch {
	case err != nil || lastErr != nil || first == 0:
		return fmt.Errorf("%q is not a range of ports such as \"50000-50999\" (1 to 65535)", text)
	case first > last:
		return fmt.Errorf("%q ends before it begins", text)
	}
	*r = PortRange{uint16(first), uint16(last)}
	return nil
}

// MarshalText returns "first-last", or nothing for the zero value.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r PortRange) String() string {
	if r == (PortRange{}) {
		return ""
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Len returns the number of ports in the range, which is 0 for the zero value.
func (r PortRange) Len() int {
	if r == (PortRange{}) {
		return 0
	}
	return int(r.Last) - int(r.First) + 1
}
