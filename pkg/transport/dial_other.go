//go:build !linux

package transport

import (
	"context"
	"errors"
	"net/netip"
	"os"
)

// DialOn returns errors.ErrUnsupported: the supervisor of these systems never passes a socket.
func (tcp) DialOn(_ context.Context, socket *os.File, _ netip.AddrPort) (Conn, error) {
	socket.Close()
	return nil, errors.ErrUnsupported
}
