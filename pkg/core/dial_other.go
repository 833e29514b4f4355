//go:build !linux

package core

import (
	"context"
	"errors"
	"net/netip"
	"os"
)

// DialOn is not there: no supervisor of these systems gives such a socket.
func (tcp) DialOn(_ context.Context, socket *os.File, _ netip.AddrPort) (Conn, error) {
	socket.Close()
	return nil, errors.ErrUnsupported
}
