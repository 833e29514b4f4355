//go:build !linux

package supervisor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
)

// connecting returns errors.ErrUnsupported: the core of these systems connects itself.
func connecting(netip.Addr, uint16, netip.AddrPort) (*os.File, error) {
	return nil, errors.ErrUnsupported
}

// probeActivePort refuses data.active_port, because this system offers no bound sockets.
func probeActivePort(o Options) error {
	if port := o.Config.Data.ActivePort; port != 0 {
		return fmt.Errorf("data.active_port = %d: %w on this system", port, errors.ErrUnsupported)
	}
	return nil
}
