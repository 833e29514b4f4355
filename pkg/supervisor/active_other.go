//go:build !linux

package supervisor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"ftpd/pkg/config"
)

func boundSocket(netip.AddrPort) (*os.File, error) { return nil, errors.ErrUnsupported }

// probeActivePort refuses to start with a port that no data connection will have on this system.
func probeActivePort(c *config.Config) error {
	if port := c.Data.ActivePort; port != 0 {
		return fmt.Errorf("data.active_port = %d: %w on this system", port, errors.ErrUnsupported)
	}
	return nil
}
