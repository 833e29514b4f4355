//go:build linux

package tests

import (
	"net"
	"strings"
	"syscall"
	"testing"
)

// TestSilentCore checks that a core that a signal has stopped is ended when it does not answer
// pings, and that a client which has connected meanwhile is greeted by the next core. It waits for
// 30 to 40 seconds.
func TestSilentCore(t *testing.T) {
	t.Parallel()
	needRoot(t)
	s := serve(t, nil)
	core := s.core(t)
	syscall.Kill(core, syscall.SIGSTOP)
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r, err := newClient(conn).reply(); err != nil || r.code != 220 {
		t.Errorf("greeted with %v, %v", r, err)
	}
	r := s.log.wait(t, "core died", message("core died"))
	if !strings.Contains(r.Cause, "has not answered a ping for 30s") {
		t.Errorf("the log has %s", r.Text)
	}
	if running(core) {
		t.Error("the core that was stopped still runs")
	}
}
