package monitor

import (
	"io"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The core receives a socket as a descriptor, or the reason why there is none.
func TestActiveSocket(t *testing.T) {
	c, _ := start(t, new(fake))
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	way := ActiveWay{
		From: netip.MustParseAddr("192.0.2.1"), To: netip.MustParseAddrPort("198.51.100.7:4000"),
	}
	for range 3 {
		file, err := c.ActiveSocket(t.Context(), a.Session, way)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err != nil || string(text) != a.Session+" 192.0.2.1 198.51.100.7:4000" {
			t.Errorf("received %q, %v", text, err)
		}
		raw, err := file.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
			if err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("the socket blocks: %x, %v", flags, err)
			}
			flags, err = unix.FcntlInt(fd, unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("child programs would inherit the socket: %x, %v", flags, err)
			}
		})
		file.Close()
	}
	_, err = c.ActiveSocket(t.Context(), a.Session, ActiveWay{From: netip.IPv6Loopback()})
	if err == nil || !strings.Contains(err.Error(), "address in use") {
		t.Error(err)
	}
	if _, err := c.Admit(t.Context(), Connection{}); err != nil {
		t.Errorf("the next request: %v", err)
	}
}
