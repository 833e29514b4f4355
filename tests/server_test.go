//go:build linux

package tests

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is a running ftpd, stopped with its test.
type server struct {
	cmd    *exec.Cmd
	log    *serverLog
	addr   string // of IPv4; addr6 has the same port
	addr6  string
	killed bool          // by the test
	exited chan struct{} // closed when the process has ended and the log is complete
}

// settings are the additions of a test to its configuration, by section: the text below [server],
// [auth], …; "" is before all sections, "end" after them.
type settings map[string]string

// serve starts `ftpd serve` for system users and returns when it is ready.
func serve(t *testing.T, add settings) *server {
	t.Helper()
	needRoot(t)
	port := freePort(t)
	s := newServer(t, port, "serve", "--config", writeConfig(t, port, add))
	s.start(t)
	return s
}

// writeConfig makes an ftpd.toml that listens on both loopback addresses.
func writeConfig(t *testing.T, port uint16, add settings) string {
	t.Helper()
	base := settings{
		"server": fmt.Sprintf("listen = [\"127.0.0.1:%d\", \"[::1]:%d\"]\n", port, port),
		"auth":   fmt.Sprintf("pam_service = %q\n", pamService(t)),
		"admin":  fmt.Sprintf("socket = %q\n", filepath.Join(t.TempDir(), "admin.sock")),
	}
	if add["admin"] != "" {
		base["admin"] = ""
	}
	if strings.Contains(add["auth"], "pam_service") {
		base["auth"] = ""
	}
	var text strings.Builder
	text.WriteString(add[""] + "\n")
	for _, section := range []string{"server", "auth", "anonymous", "defaults", "limits", "log",
		"admin"} {
		if base[section]+add[section] != "" {
			fmt.Fprintf(&text, "[%s]\n%s%s\n", section, base[section], add[section])
		}
	}
	text.WriteString(add["end"])
	path := filepath.Join(t.TempDir(), "ftpd.toml")
	writeFile(t, path, text.String(), 0o600)
	return path
}

func newServer(t *testing.T, port uint16, args ...string) *server {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "ftpd"), args...)
	cmd.Dir = "/"
	return &server{
		cmd:    cmd,
		log:    newServerLog(),
		addr:   netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port).String(),
		addr6:  netip.AddrPortFrom(netip.IPv6Loopback(), port).String(),
		exited: make(chan struct{}),
	}
}

// start starts the server, waits until it is ready, and stops it with the test.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.launch(t)
	s.log.wait(t, "ready", message("ready"))
}

func (s *server) launch(t *testing.T) {
	t.Helper()
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the last process that has the pipe
		defer close(s.exited)
		copyLines(stderr, s.log.add)
		close(s.log.ended)
		s.cmd.Wait()
	}()
	t.Cleanup(func() { s.stop(t) })
}

// stop ends the server as a service manager does. It fails the test when a process outlives the
// server.
func (s *server) stop(t *testing.T) {
	t.Helper()
	family := descendants(s.cmd.Process.Pid)
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(patience):
		t.Errorf("the server did not stop:\n%s", s.log)
		for _, p := range append(family, s.cmd.Process.Pid) {
			syscall.Kill(p, syscall.SIGKILL)
		}
		<-s.exited
	}
	if state := s.cmd.ProcessState; !state.Success() && !s.killed {
		t.Errorf("the server ended with %v", state)
	}
	for _, p := range family {
		eventually(t, fmt.Sprintf("process %d of the server ends with it", p),
			func() bool { return !running(p) })
	}
	if t.Failed() {
		t.Logf("the end of the log:\n%s", s.log)
	}
}

// kill ends the supervisor as a crash does.
func (s *server) kill() {
	s.killed = true
	s.cmd.Process.Kill()
}

// core returns the process id of the core that serves now.
func (s *server) core(t *testing.T) int {
	t.Helper()
	var core int
	eventually(t, "there is a core", func() bool {
		for _, p := range descendants(s.cmd.Process.Pid) {
			if args := commandLine(p); running(p) && len(args) > 1 && args[1] == "core" {
				core = p
				return true
			}
		}
		return false
	})
	return core
}

// portsGiven holds the ports that freePort has returned.
var portsGiven sync.Map

// freePort returns a port that is free on both loopback addresses, a different one for each call. It is
// below the ports that the system gives to connections, since one of these could take it before the
// server does.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		port := uint16(20_000 + rand.IntN(10_000))
		if _, given := portsGiven.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		l6, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port))
		l.Close()
		if err == nil {
			l6.Close()
		}
		if err == nil || errors.Is(err, syscall.EADDRNOTAVAIL) {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}
