//go:build linux

package tests

import (
	"fmt"
	"strings"
	"testing"
)

// TestSupervisorIsKilled checks that no core and no helper outlives the supervisor, which alone
// would log what they do.
func TestSupervisorIsKilled(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	s := serve(t, nil)
	c := login(t, s.addr, u.name, u.password)
	family := append(descendants(s.cmd.Process.Pid), s.core(t))
	s.kill()
	for _, p := range family {
		what := fmt.Sprintf("process %d (%s) ends with its supervisor", p,
			strings.Join(commandLine(p), " "))
		eventually(t, what, func() bool { return !running(p) })
	}
	if r, err := c.do("NOOP"); err == nil {
		t.Errorf("the session goes on: %v", r)
	}
}
