package transport

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// A read in the callback of RawConn.Read blocks on Windows. So Await holds its buffer while it
// waits.

type readiness struct{}

func (*readiness) init() {}

// Await reads into a buffer that it holds while it waits.
func (c *TCPConn) Await(buffers *Buffers) (*Buffer, error) {
	buf := buffers.Get()
	n, err := c.Read(buf.Data)
	if n == 0 {
		buffers.Put(buf)
		return nil, err
	}
	buf.Data = buf.Data[:n]
	return buf, nil
}

// lookTime is how long drain and Silent wait, because a read cannot return at once.
const lookTime = 10 * time.Millisecond

// drain discards what has arrived, up to max bytes.
func (c *TCPConn) drain(max int) {
	p := make([]byte, 4<<10)
	c.SetReadDeadline(time.Now().Add(lookTime))
	for max > 0 {
		n, err := c.Read(p)
		if err != nil {
			return
		}
		max -= n
	}
}

// Silent reports whether neither a byte nor the end is unread.
func (c *TCPConn) Silent() bool {
	c.SetReadDeadline(time.Now().Add(lookTime))
	defer c.SetReadDeadline(time.Time{})
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

const soOOBInline = 0x100 // SO_OOBINLINE of winsock2.h

func setInline(fd uintptr) {
	syscall.SetsockoptInt(syscall.Handle(fd), syscall.SOL_SOCKET, soOOBInline, 1)
}

const wsaEADDRINUSE = syscall.Errno(10048)

// portBusy also accepts WSAEACCES, the error for a port in a range that the system has reserved.
func portBusy(err error) bool {
	return errors.Is(err, wsaEADDRINUSE) || errors.Is(err, syscall.WSAEACCES)
}
