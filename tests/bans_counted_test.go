//go:build linux

package tests

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestBanOfClientsThatHangUp checks that a wrong password counts although the client, or the core
// that asked for the check, is gone before the answer. Its record has the cause.
func TestBanOfClientsThatHangUp(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	service, open := gatedService(t)
	s := serve(t, settings{
		"auth": "failure_delay = \"0s\"\npam_service = \"" + service + "\"\n",
		"end":  "[ban]\nfailures = 3\n",
	})
	left := func() *waiter { // a client with a wrong password whose check has begun
		before := len(gated(s.cmd.Process.Pid))
		w := newWaiter(t, s.addr, "127.0.0.1", u.name)
		w.pass("guessed")
		eventually(t, "the check has begun",
			func() bool { return len(gated(s.cmd.Process.Pid)) > before })
		return w
	}
	left().conn.Close()
	s.log.wait(t, "the end of the session", message("disconnect"))
	left()
	syscall.Kill(s.core(t), syscall.SIGKILL)
	s.log.wait(t, "the end of the core", message("core died"))
	open()
	var failures []record
	eventually(t, "both failures are in the log", func() bool {
		failures, _ = s.log.find(message("login_failed"))
		return len(failures) == 2
	})
	for _, r := range failures {
		if r.User != u.name || r.Reply != 0 ||
			!strings.Contains(r.Cause, "Authentication failure") {
			t.Errorf("a failure without a client is recorded as %s", r.Text)
		}
	}

	eventually(t, "clients that hang up at once are banned", func() bool {
		if c, err := dialFrom(s.addr, "127.0.0.1"); err == nil { // a new core may not be there yet
			fmt.Fprintf(c.conn, "USER %s\r\nPASS guessed\r\n", u.name)
			c.conn.Close()
		}
		banned, _ := s.log.find(message("banned"))
		return len(banned) > 0
	})
	refuse(t, s.addr, u.name, u.password)
}

// gated returns the processes in which gatedService holds logins of a server.
func gated(supervisor int) (found []int) {
	for _, p := range descendants(supervisor) {
		if args := commandLine(p); strings.HasSuffix(args[0], "/flock") {
			found = append(found, p)
		}
	}
	return found
}

// TestBanOfErrorsOfModules checks that a check that a module of PAM ends with an error, or by ending
// the helper, after it has taken the password counts as a failed login. pam_exec refuses by
// PAM_SYSTEM_ERR.
func TestBanOfErrorsOfModules(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, otherwise := range map[string]string{
		"refuses": "false", "crashes": "kill -KILL $PPID",
	} {
		t.Run(name, func(t *testing.T) {
			u := newAccount(t)
			service := scriptService(t, `[ "$(tr -d '\0')" = right ] || `+otherwise)
			s := serve(t, settings{
				"auth": fmt.Sprintf("failure_delay = \"0s\"\npam_service = %q\n", service),
				"end":  "[ban]\nfailures = 3\nexempt = [\"::1\"]\n",
			})
			for range 3 {
				refuse(t, s.addr, u.name, "wrong")
			}
			s.log.wait(t, "the ban", message("banned"))
			refuse(t, s.addr, u.name, "right")
			login(t, s.addr6, u.name, "right")
		})
	}
}
