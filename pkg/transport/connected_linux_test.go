package transport

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// connecting returns a socket that has begun to connect to a port of this host.
func connecting(t *testing.T, port uint16) *os.File {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "connecting")
}

// listening returns a port with a queue of one connection that no program accepts.
func listening(t *testing.T) uint16 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	err = errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		unix.Listen(fd, 0))
	name, nameErr := unix.Getsockname(fd)
	if err := errors.Join(err, nameErr); err != nil {
		t.Fatal(err)
	}
	return uint16(name.(*unix.SockaddrInet4).Port)
}

// Connected returns a connection that can be used, the error of one that was refused, and the cause
// of the context's end while the peer does not answer.
func TestConnected(t *testing.T) {
	port := listening(t)
	c, err := TCP.Connected(t.Context(), connecting(t, port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
	if _, err := c.Write([]byte("x")); err != nil || c.Remote() != want {
		t.Errorf("connected to %s, not %s: %v", c.Remote(), want, err)
	}

	// The queue is full, so the kernel drops the next handshake.
	ended := errors.New("ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	waits := connecting(t, port)
	cancel(ended)
	if _, err := TCP.Connected(ctx, waits); err != ended {
		t.Errorf("after the end of the context: %v", err)
	}

	if _, err := TCP.Connected(t.Context(), connecting(t, 1)); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("a port without a listener: %v", err)
	}
}
