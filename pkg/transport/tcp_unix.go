//go:build unix

package transport

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// The callback of syscall.RawConn.Read may call read(2) on Unix, where sockets do not block. It may
// not on Windows (tcp_windows.go).

// A readiness is the callback of RawConn.Read, allocated once for a connection, and its result.
type readiness struct {
	attempt func(fd uintptr) bool
	buffers *Buffers
	buf     *Buffer
	n       int
	err     error
}

func (r *readiness) init() {
	r.attempt = func(fd uintptr) bool {
		r.buf = r.buffers.Get()
		r.n, r.err = readNow(fd, r.buf.Data)
		if r.err == syscall.EAGAIN {
			r.buffers.Put(r.buf)
			r.buf = nil
			return false
		}
		return true
	}
}

// Await reads at once and waits only if nothing has arrived. If the callback returned false before
// it had tried to read, RawConn.Read would wait for the next arrival and miss what has arrived.
func (c *TCPConn) Await(buffers *Buffers) (*Buffer, error) {
	r := &c.ready
	r.buffers, r.n, r.err = buffers, 0, nil
	err := c.raw.Read(r.attempt)
	buf := r.buf
	r.buf = nil
	switch {
	case err != nil:
	case r.err != nil:
		err = os.NewSyscallError("read", r.err)
	case r.n == 0:
		c.eof.Store(true)
		err = io.EOF
	default:
		buf.Data = buf.Data[:r.n]
		return buf, nil
	}
	buffers.Put(buf)
	return nil, err
}

// readNow reads what has arrived. The error is EAGAIN if nothing has.
func readNow(fd uintptr, p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// drain discards what has arrived, up to max bytes, and does not wait for more.
func (c *TCPConn) drain(max int) {
	p := make([]byte, 4<<10)
	c.raw.Read(func(fd uintptr) bool {
		for max > 0 {
			n, err := readNow(fd, p)
			if n <= 0 || err != nil {
				break
			}
			max -= n
		}
		return true
	})
}

// Silent reports whether neither a byte nor the end is unread.
func (c *TCPConn) Silent() (silent bool) {
	c.SetReadDeadline(time.Time{})
	c.raw.Read(func(fd uintptr) bool {
		_, err := readNow(fd, make([]byte, 1))
		silent = err == syscall.EAGAIN
		return true
	})
	return silent
}

func setInline(fd uintptr) {
	syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
}

func portBusy(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
