//go:build linux

package wire

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func pair(t *testing.T) (a, b *Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*Conn
	for i, fd := range fds {
		if ends[i], err = Open(os.NewFile(uintptr(fd), "end")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ends[i].Close() })
	}
	return ends[0], ends[1]
}

func TestBytesArriveUnchanged(t *testing.T) {
	a, b := pair(t)
	var every []byte
	for i := range 256 {
		every = append(every, byte(i))
	}
	sent := Login{Service: "ftpd", User: every, Password: every, Remote: "::1"}
	if err := a.Send(sent); err != nil {
		t.Fatal(err)
	}
	var got Login
	if err := b.Receive(&got); err != nil || !reflect.DeepEqual(got, sent) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A message that is too long is an error at both ends, and is never cut.
func TestMessagesAreBounded(t *testing.T) {
	a, b := pair(t)
	long := Answer{Failed: strings.Repeat("x", MaxMessage-len(`{"failed":""}`))}
	if err := a.Send(long); err != nil {
		t.Fatal(err)
	}
	var got Answer
	if err := b.Receive(&got); err != nil || got.Failed != long.Failed {
		t.Errorf("the longest message: %v", err)
	}
	long.Failed += "x"
	if err := a.Send(long); err == nil {
		t.Error("a longer one was sent")
	}
	if _, err := a.c.Write(bytes.Repeat([]byte(" "), MaxMessage+1)); err != nil {
		t.Fatal(err)
	}
	if err := b.Receive(&got); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a longer one was received: %v", err)
	}
}

func TestEnd(t *testing.T) {
	a, b := pair(t)
	a.Close()
	if err := b.Receive(&Answer{}); err != io.EOF {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefusesFiles(t *testing.T) {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f); err == nil {
		t.Error("a file is no socket")
	}
}
