package core

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// DialOn lets net.Dialer connect: it makes a socket of its own, in whose place this one is put before it is used. The rest is as in every
// dial, the deadline and the end of ctx among it.
func (tcp) DialOn(ctx context.Context, socket *os.File, to netip.AddrPort) (Conn, error) {
	defer socket.Close()
	bound, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Control: func(_, _ string, own syscall.RawConn) (err error) {
		return errors.Join(own.Control(func(there uintptr) {
			err = bound.Control(func(here uintptr) {
				err = errors.Join(err, syscall.Dup3(int(here), int(there), syscall.O_CLOEXEC))
			})
		}), err)
	}}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return wrapped(c.(*net.TCPConn))
}
