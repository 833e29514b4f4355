//go:build linux

package tests

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestSilentCore checks that cores that a signal has stopped are ended when they do not answer
// pings, the present one and one that it has replaced, and that a client which has connected
// meanwhile is greeted by the next core. It waits for 30 to 40 seconds.
func TestSilentCore(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u, shared := newAccount(t), sharedDir(t)
	s := serve(t, settings{"end": fmt.Sprintf("[[user]]\nname = %q\nhome = %q\n", u.name, shared)})
	login(t, s.addr, u.name, u.password)
	old := s.core(t)
	s.another(t, func() { mountOver(t, shared) })
	cores := []int{old, s.newestCore()}
	for _, core := range cores {
		suspend(t, core)
	}
	conn, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r, err := newClient(conn).reply(); err != nil || r.code != 220 {
		t.Errorf("greeted with %v, %v", r, err)
	}
	eventually(t, "both are recorded", func() bool {
		died, _ := s.log.find(message("core died"))
		return len(died) == len(cores)
	})
	died, _ := s.log.find(message("core died"))
	for _, r := range died {
		if !strings.Contains(r.Cause, "has not answered a ping for 30s") {
			t.Errorf("the log has %s", r.Text)
		}
	}
	for _, core := range cores {
		if running(core) {
			t.Errorf("core %d still runs", core)
		}
	}
}

// suspend stops a process, and waits until each of its threads has stopped.
func suspend(t *testing.T, pid int) {
	t.Helper()
	syscall.Kill(pid, syscall.SIGSTOP)
	eventually(t, fmt.Sprintf("process %d stops", pid), func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		return !slices.ContainsFunc(threads, func(thread string) bool {
			id, _ := strconv.Atoi(filepath.Base(thread))
			return !strings.HasPrefix(status(id, "State"), "T")
		})
	})
}
