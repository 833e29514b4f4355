//go:build linux

package tests

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestServiceManagerIsTold checks that the service manager is notified when the service is ready,
// and how long a stop may take: server.drain_timeout and a margin.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	needRoot(t)
	socket := filepath.Join(sharedDir(t), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	notified := func(want string) {
		t.Helper()
		manager.SetReadDeadline(time.Now().Add(patience))
		text := make([]byte, 1024)
		if n, err := manager.Read(text); err != nil || string(text[:n]) != want {
			t.Errorf("the service manager gets %q, %v, not %q", text[:n], err, want)
		}
	}
	port := freePort(t)
	s := newServer(t, port, "serve", "--config",
		writeConfig(t, port, settings{"server": "drain_timeout = \"90s\"\n"}))
	s.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	s.start(t)
	notified("READY=1")
	s.cmd.Process.Signal(syscall.SIGTERM)
	notified("STOPPING=1\nEXTEND_TIMEOUT_USEC=100000000")
	<-s.exited // a second signal would cut the stop short
}
