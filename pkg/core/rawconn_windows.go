package core

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// A socket of Windows blocks in the callback of RawConn.Read, so a session holds its buffer while it waits.

type readiness struct{}

func (*readiness) init() {}

func (c *rawConn) Await(buffers *Buffers) (*Buffer, error) {
	buf := buffers.Get()
	n, err := c.Read(buf.Data)
	if n == 0 {
		buffers.Put(buf)
		return nil, err
	}
	buf.Data = buf.Data[:n]
	return buf, nil
}

// drain throws away what has arrived, up to max bytes.
func (c *rawConn) drain(max int) {
	p := make([]byte, 4<<10)
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	for max > 0 {
		n, err := c.Read(p)
		if err != nil {
			return
		}
		max -= n
	}
}

func (c *rawConn) Silent() bool {
	c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	defer c.SetReadDeadline(time.Time{})
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

const soOOBInline = 0x100 // SO_OOBINLINE of winsock2.h

func setInline(fd uintptr) {
	syscall.SetsockoptInt(syscall.Handle(fd), syscall.SOL_SOCKET, soOOBInline, 1)
}

const wsaEADDRINUSE = syscall.Errno(10048)

func portBusy(err error) bool {
	return errors.Is(err, wsaEADDRINUSE) || errors.Is(err, syscall.WSAEACCES) // the second: a range that the system keeps for itself
}
