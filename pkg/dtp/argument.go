package dtp

import (
	"net/netip"
	"strconv"
	"strings"
)

// ParsePORT reads the argument of PORT, "h1,h2,h3,h4,p1,p2" (RFC 959 §5.3.2), in which blanks may
// surround the numbers. Port 0 is refused.
func ParsePORT(arg string) (netip.AddrPort, bool) {
	var bytes [6]byte
	numbers := strings.Split(arg, ",")
	if len(numbers) != len(bytes) {
		return netip.AddrPort{}, false
	}
	for i, number := range numbers {
		n, err := strconv.ParseUint(strings.Trim(number, " \t"), 10, 8)
		if err != nil {
			return netip.AddrPort{}, false
		}
		bytes[i] = byte(n)
	}
	port := uint16(bytes[4])<<8 | uint16(bytes[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(bytes[:4])), port), port > 0
}

// ParseEPRT reads the argument of EPRT, "|family|address|port|", with any character in place of the
// bars (RFC 2428 §2). family is "1" for IPv4 and "2" for IPv6, and the address is of that family.
// Port 0 and addresses with a zone are refused.
func ParseEPRT(arg string) (family string, to netip.AddrPort, ok bool) {
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
