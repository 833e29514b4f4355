package zerocopy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxSend bounds the bytes of one sendfile(2). A full socket ends the call sooner, but nothing
// else ends it while a fast client reads from a slow disk. During the call the progress is not
// updated and the transfer cannot be aborted.
const maxSend = 4 << 20

// Send moves up to limit bytes of file, beginning at its position, to a socket. It waits for
// room in the socket until the write deadline of the socket. At the end of the file it returns
// io.EOF.
func Send(to syscall.RawConn, file *os.File, limit int) (n int, err error) {
	from, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var waitErr, sendErr error
	err = from.Control(func(fd uintptr) {
		waitErr = to.Write(func(socket uintptr) bool {
			for range 2 {
				n, sendErr = uninterrupted(func() (int, error) {
					return unix.Sendfile(int(socket), int(fd), nil, min(limit, maxSend))
				})
				if sendErr != unix.EAGAIN || !soonWritable(socket) {
					break
				}
			}
			return sendErr != unix.EAGAIN
		})
	})
	switch {
	case err != nil || waitErr != nil:
		return 0, errors.Join(err, waitErr)
	case sendErr == nil && n == 0:
		return 0, io.EOF
	case sendErr == nil:
		return n, nil
	case slices.Contains(socketErrors, sendErr):
		return 0, &SocketError{os.NewSyscallError("sendfile", sendErr)}
	}
	return 0, failure("sendfile", sendErr)
}

// socketErrors are the errors of sendfile(2) that belong to the socket. All others belong to the
// file.
var socketErrors = []error{
	unix.EPIPE, unix.ECONNRESET, unix.ECONNABORTED, unix.ETIMEDOUT, unix.ENOTCONN,
	unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ENETDOWN,
}

// soonWritable waits up to 10 ms for room in the socket, and reports whether there is room. It
// blocks the thread, because a client that reads makes room sooner than the scheduler would
// resume the goroutine. If the client is slower, the goroutine waits and holds no thread.
func soonWritable(socket uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}, 10)
	return n > 0 && err == nil
}

// Unacknowledged returns the number of bytes in a socket that its peer has not acknowledged. It
// returns 0 if the kernel refuses the query.
func Unacknowledged(socket syscall.RawConn) (n int) {
	_ = socket.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n
}

// Ended reports whether the peer of a socket has closed its side or has reset the connection,
// even if the socket still holds unread bytes. It waits up to wait for that, and blocks the
// thread meanwhile.
func Ended(socket syscall.RawConn, wait time.Duration) (ended bool) {
	_ = socket.Control(func(fd uintptr) {
		timeout := unix.NsecToTimespec(wait.Nanoseconds())
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := uninterrupted(func() (int, error) { return unix.Ppoll(fds, &timeout, nil) })
		ended = n > 0 && err == nil
	})
	return ended
}

// WriteApart writes p to a socket. The next write begins a new TCP segment, also if p is sent
// late or sent again (MSG_EOR). WriteApart waits for room in the socket until the write
// deadline of the socket.
func WriteApart(socket syscall.RawConn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var sent int
		waitErr := socket.Write(func(fd uintptr) bool {
			sent, err = uninterrupted(func() (int, error) {
				return unix.SendmsgN(int(fd), p[n:], nil, nil, unix.MSG_EOR|unix.MSG_NOSIGNAL)
			})
			return err != unix.EAGAIN
		})
		n += max(sent, 0)
		switch {
		case waitErr != nil:
			err = waitErr
		case err != nil:
			err = os.NewSyscallError("sendmsg", err)
		}
	}
	return n, err
}

// Pace bounds the rate at which the kernel sends. It costs the process no CPU time, because
// the kernel has a timer for each connection.
func Pace(socket syscall.RawConn, bytesPerSecond int64) {
	if bytesPerSecond >= math.MaxUint32 { // the kernel takes it as "no bound"
		return
	}
	rate := int(bytesPerSecond)
	_ = socket.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, rate)
	})
}

// GiveUpAfter sets the time after which the kernel ends the connection if the peer has
// acknowledged none of the sent bytes, or has taken none of the bytes that wait to be sent
// (TCP_USER_TIMEOUT).
func GiveUpAfter(socket syscall.RawConn, limit time.Duration) {
	ms := int(min(limit.Milliseconds(), math.MaxInt32))
	_ = socket.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms)
	})
}

// A Pipe holds the bytes on their way from a socket to a file. Only one goroutine may use it
// at a time.
type Pipe struct {
	r, w int
	held int // the number of bytes in the pipe
}

func newPipe() (*Pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	p := &Pipe{r: fds[0], w: fds[1]}
	size, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, PipeSize)
	if err == nil && size < PipeSize {
		err = fmt.Errorf("the kernel gives a pipe of %d bytes", size)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *Pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

// Fill moves up to limit bytes from a socket into the pipe, which must be empty. It waits for
// bytes until the read deadline of the socket. At the end of the stream it returns io.EOF.
func (p *Pipe) Fill(from syscall.RawConn, limit int) (n int, err error) {
	const flags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK
	waitErr := from.Read(func(socket uintptr) bool {
		n, err = uninterrupted(func() (int, error) {
			moved, err := unix.Splice(int(socket), nil, p.w, nil, min(limit, PipeSize), flags)
			return int(moved), err
		})
		return err != unix.EAGAIN
	})
	switch {
	case waitErr != nil:
		return 0, waitErr
	case err == unix.EINVAL || err == unix.ENOSYS:
		return 0, failure("splice", err)
	case err != nil:
		return 0, &SocketError{os.NewSyscallError("splice", err)}
	case n == 0:
		return 0, io.EOF
	}
	p.held += n
	return n, nil
}

// Empty moves all bytes of the pipe into a file. After an error, the bytes that have not moved
// stay in the pipe, where Read finds them. For files that are open for appending, and on some
// file systems, Empty returns errors.ErrUnsupported.
func (p *Pipe) Empty(file *os.File) error {
	to, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var moveErr error
	err = to.Control(func(fd uintptr) {
		for p.held > 0 && moveErr == nil {
			var n int
			n, moveErr = uninterrupted(func() (int, error) {
				moved, err := unix.Splice(p.r, nil, int(fd), nil, p.held, unix.SPLICE_F_MOVE)
				return int(moved), err
			})
			if moveErr == nil && n == 0 {
				moveErr = unix.EIO // cannot happen: the pipe holds bytes
			}
			p.held -= max(n, 0)
		}
	})
	if err != nil {
		return err
	}
	return failure("splice", moveErr)
}

// Read reads bytes from the pipe, for files that Empty does not support. It does not wait:
// io.EOF means that the pipe is empty.
func (p *Pipe) Read(buf []byte) (int, error) {
	if p.held == 0 {
		return 0, io.EOF
	}
	buf = buf[:min(len(buf), p.held)]
	n, err := uninterrupted(func() (int, error) { return unix.Read(p.r, buf) })
	if err != nil {
		return 0, os.NewSyscallError("read", err)
	}
	p.held -= n
	return n, nil
}

// uninterrupted repeats a system call until no signal interrupts it.
func uninterrupted(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// failure returns the error of a system call on a file. Errors which mean that the file does not
// support the call become errors.ErrUnsupported.
func failure(call string, err error) error {
	switch err {
	case nil:
		return nil
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP:
		return fmt.Errorf("%s: %w (%w)", call, errors.ErrUnsupported, err)
	}
	return err
}
