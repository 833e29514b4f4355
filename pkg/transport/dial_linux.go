package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// DialOn lets net.Dialer make the connection, so that its deadline and the end of ctx work as in
// every dial. The dialer's own socket is replaced by the bound one before it connects.
func (tcp) DialOn(ctx context.Context, socket *os.File, to netip.AddrPort) (Conn, error) {
	defer socket.Close()
	bound, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Control: func(_, _ string, dialed syscall.RawConn) (err error) {
		return errors.Join(dialed.Control(func(replaced uintptr) {
			err = bound.Control(func(by uintptr) {
				err = errors.Join(err, syscall.Dup3(int(by), int(replaced), syscall.O_CLOEXEC))
			})
		}), err)
	}}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return newConn(c.(*net.TCPConn))
}
