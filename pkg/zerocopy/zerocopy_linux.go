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

// maxSend is what one sendfile(2) is asked for at most. A full socket ends it sooner; but from a slow disk to a quick client nothing
// else does, and meanwhile nobody sees progress or is heard.
const maxSend = 4 << 20

// Send moves some bytes of file to a socket, at most most of them, from the file's position on. It waits for the socket until its write
// deadline. At the end of the file it returns io.EOF.
func Send(to syscall.RawConn, file *os.File, most int) (n int, err error) {
	from, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var waiting, sent error
	err = from.Control(func(fd uintptr) {
		waiting = to.Write(func(socket uintptr) bool {
			for range 2 {
				n, sent = uninterrupted(func() (int, error) { return unix.Sendfile(int(socket), int(fd), nil, min(most, maxSend)) })
				if sent != unix.EAGAIN || !soonWritable(socket) {
					break
				}
			}
			return sent != unix.EAGAIN
		})
	})
	switch {
	case err != nil || waiting != nil:
		return 0, errors.Join(err, waiting)
	case sent == nil && n == 0:
		return 0, io.EOF
	case sent == nil:
		return n, nil
	case slices.Contains([]error{unix.EPIPE, unix.ECONNRESET, unix.ECONNABORTED, unix.ETIMEDOUT, unix.ENOTCONN, unix.EHOSTUNREACH,
		unix.ENETUNREACH, unix.ENETDOWN}, sent):
		return 0, &SocketError{os.NewSyscallError("sendfile", sent)}
	}
	return 0, failure("sendfile", sent)
}

// soonWritable waits a moment for room in the socket on the caller's thread. A client that reads makes room sooner than the scheduler
// would bring the goroutine back; for all others that one waits, and no thread is held.
func soonWritable(socket uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(socket), Events: unix.POLLOUT}}, 10)
	return n > 0 && err == nil
}

// Unacknowledged is how many bytes a socket holds that its peer has not acknowledged, 0 when it does not tell.
func Unacknowledged(socket syscall.RawConn) (n int) {
	_ = socket.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n
}

// Ended says whether a socket's peer has closed its side or reset the connection, whatever still lies unread before that end. It waits for
// that as long as it may, on the caller's thread.
func Ended(socket syscall.RawConn, wait time.Duration) (ended bool) {
	_ = socket.Control(func(fd uintptr) {
		patience := unix.NsecToTimespec(wait.Nanoseconds())
		n, err := uninterrupted(func() (int, error) {
			return unix.Ppoll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, &patience, nil)
		})
		ended = n > 0 && err == nil
	})
	return ended
}

// WriteApart writes all of p to a socket, and what is written after it begins a TCP segment of its
// own, however late p is sent and however often (MSG_EOR). It waits for the socket until its write
// deadline.
func WriteApart(socket syscall.RawConn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var sent int
		waiting := socket.Write(func(fd uintptr) bool {
			sent, err = uninterrupted(func() (int, error) {
				return unix.SendmsgN(int(fd), p[n:], nil, nil, unix.MSG_EOR|unix.MSG_NOSIGNAL)
			})
			return err != unix.EAGAIN
		})
		n += max(sent, 0)
		switch {
		case waiting != nil:
			err = waiting
		case err != nil:
			err = os.NewSyscallError("sendmsg", err)
		}
	}
	return n, err
}

// Pace bounds the rate at which the kernel sends, in bytes per second. It takes no CPU: the kernel has a timer for each connection.
func Pace(socket syscall.RawConn, bytesPerSecond int64) {
	if bytesPerSecond >= math.MaxUint32 { // means no bound
		return
	}
	_ = socket.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, int(bytesPerSecond))
	})
}

// GiveUpAfter ends a connection whose peer has not acknowledged what was sent, or has not taken any of it, for so long (TCP_USER_TIMEOUT).
func GiveUpAfter(socket syscall.RawConn, limit time.Duration) {
	_ = socket.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(min(limit.Milliseconds(), math.MaxInt32)))
	})
}

// A Pipe is where bytes rest between a socket and a file. One goroutine uses it.
type Pipe struct {
	r, w int
	held int // bytes that came in and did not go out
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

// Fill takes some bytes from a socket, at most most of them, into a pipe that holds none. It waits for them until the socket's read
// deadline. At the end of the stream it returns io.EOF.
func (p *Pipe) Fill(from syscall.RawConn, most int) (n int, err error) {
	waiting := from.Read(func(socket uintptr) bool {
		n, err = uninterrupted(func() (int, error) {
			moved, err := unix.Splice(int(socket), nil, p.w, nil, min(most, PipeSize), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
			return int(moved), err
		})
		return err != unix.EAGAIN
	})
	switch {
	case waiting != nil:
		return 0, waiting
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

// Empty puts all that the pipe holds into a file. The error may come after some bytes; what is left stays in the pipe, for Read. Files
// that are open for appending, and some file systems, refuse with errors.ErrUnsupported.
func (p *Pipe) Empty(file *os.File) error {
	to, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var moving error
	err = to.Control(func(fd uintptr) {
		for p.held > 0 && moving == nil {
			var n int
			n, moving = uninterrupted(func() (int, error) {
				moved, err := unix.Splice(p.r, nil, int(fd), nil, p.held, unix.SPLICE_F_MOVE)
				return int(moved), err
			})
			if moving == nil && n == 0 {
				moving = unix.EIO // cannot be: the bytes are there
			}
			p.held -= max(n, 0)
		}
	})
	if err != nil {
		return err
	}
	return failure("splice", moving)
}

// Read takes bytes out, as a file that cannot be spliced into needs them. It does not wait: io.EOF means that the pipe is empty.
func (p *Pipe) Read(buf []byte) (int, error) {
	if p.held == 0 {
		return 0, io.EOF
	}
	n, err := uninterrupted(func() (int, error) { return unix.Read(p.r, buf[:min(len(buf), p.held)]) })
	if err != nil {
		return 0, os.NewSyscallError("read", err)
	}
	p.held -= n
	return n, nil
}

func uninterrupted(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// failure is a file's error. What only says that this way is closed becomes errors.ErrUnsupported.
func failure(call string, err error) error {
	switch err {
	case nil:
		return nil
	case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP:
		return fmt.Errorf("%s: %w (%w)", call, errors.ErrUnsupported, err)
	}
	return err
}
