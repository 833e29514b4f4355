//go:build !linux

package transport

import (
	"context"
	"errors"
	"os"
)

// Connected returns errors.ErrUnsupported: the supervisor of these systems never passes a socket.
func (tcp) Connected(_ context.Context, socket *os.File) (Conn, error) {
	socket.Close()
	return nil, errors.ErrUnsupported
}
