//go:build !unix

package admin

import (
	"errors"
	"net"
)

// Listen returns errors.ErrUnsupported.
func Listen(string, int) (net.Listener, error) { return nil, errors.ErrUnsupported }
