package ftpwire

import (
	"net/netip"
	"strings"
)

// ParseHost reads the argument of HOST (RFC 7151 §3.1): a host name of DNS, or an address, perhaps in
// square brackets. addr is the address, without a zone and not mapped into IPv6, and invalid for a
// name. ok reports whether the argument is one of both.
func ParseHost(arg string) (name string, addr netip.Addr, ok bool) {
	name = strings.Trim(arg, " \t")
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if err == nil {
		return name, addr.WithZone("").Unmap(), true
	}
	return name, addr, isHostName(name)
}

// isHostName reports whether name is a valid host name in DNS.
func isHostName(name string) bool {
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > 63 ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(name) <= 254
}
