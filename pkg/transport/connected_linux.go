package transport

import (
	"context"
	"net"
	"os"
	"syscall"
)

// Connected waits until the kernel reports that it can write to the socket.
func (tcp) Connected(ctx context.Context, socket *os.File) (Conn, error) {
	defer socket.Close() // the connection works on a duplicate
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { socket.SetWriteDeadline(PastDeadline) })()
	var failure error
	err = raw.Write(func(fd uintptr) (ended bool) {
		ended, failure = connectEnded(int(fd))
		return ended
	})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, err
	case failure != nil:
		return nil, os.NewSyscallError("connect", failure)
	}
	c, err := net.FileConn(socket)
	if err != nil {
		return nil, err
	}
	return newConn(c.(*net.TCPConn))
}

// connectEnded reports whether a socket no longer connects, and why it is not connected then.
func connectEnded(fd int) (bool, error) {
	number, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	switch {
	case err != nil:
		return true, err
	case number != 0:
		return true, syscall.Errno(number)
	}
	_, err = syscall.Getpeername(fd)
	return err != syscall.ENOTCONN, err
}
