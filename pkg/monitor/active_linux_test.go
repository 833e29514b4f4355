package monitor

import (
	"io"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket crosses the boundary as a descriptor, or the reason why there is none does.
func TestActiveSocket(t *testing.T) {
	c, _ := start(t, new(fake))
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		file, err := c.ActiveSocket(t.Context(), a.Session, netip.MustParseAddr("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err != nil || string(text) != a.Session+" 192.0.2.1" {
			t.Errorf("%q has come, %v", text, err)
		}
		raw, err := file.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
				t.Errorf("it blocks: %x, %v", flags, err)
			}
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("it would go to other programs: %x, %v", flags, err)
			}
		})
		file.Close()
	}
	if _, err := c.ActiveSocket(t.Context(), a.Session, netip.IPv6Loopback()); err == nil || !strings.Contains(err.Error(), "somebody listens there") {
		t.Error(err)
	}
	if _, err := c.Admit(t.Context(), Connection{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
