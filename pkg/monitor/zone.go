package monitor

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Link returns the network interface that a zone names. A core cannot look up the name of an
// interface that is newer than itself: it has the number in its place.
func Link(zone string) (*net.Interface, error) {
	link, err := net.InterfaceByName(zone)
	if index, notNumber := strconv.Atoi(zone); err != nil && notNumber == nil {
		link, err = net.InterfaceByIndex(index)
	}
	if err != nil {
		return nil, fmt.Errorf("network interface %.32q: %w", zone, err)
	}
	return link, nil
}

// checkedZone returns an address from a core without its zone, unless that is one of this host: a
// zone is arbitrary text otherwise, and the address goes to the log.
func checkedZone(a netip.Addr) netip.Addr {
	if a.Zone() != "" {
		if _, err := Link(a.Zone()); err != nil {
			return a.WithZone("")
		}
	}
	return a
}
