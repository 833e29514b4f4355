//go:build !unix

package admin

import (
	"errors"
	"net"
)

// Listen makes no socket on this system.
func Listen(string, int) (net.Listener, error) { return nil, errors.ErrUnsupported }
