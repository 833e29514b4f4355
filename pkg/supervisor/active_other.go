//go:build !linux

package supervisor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
)

func boundSocket(netip.AddrPort) (*os.File, error) { return nil, errors.ErrUnsupported }

// probeActivePort refuses to start with a port that no data connection will have on this system.
func probeActivePort(o Options) error {
	if port := o.Config.Data.ActivePort; port != 0 {
		return fmt.Errorf("data.active_port = %d: %w on this system", port, errors.ErrUnsupported)
	}
	return nil
}
