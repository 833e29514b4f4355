//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPAMSession checks that auth.pam_session keeps the PAM session of a login open until the
// logout, also where the client hangs up, the core or the supervisor is killed, or the service
// stops.
func TestPAMSession(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	for name, end := range map[string]func(*server, *client){
		"QUIT":              func(_ *server, c *client) { c.do("QUIT") },
		"REIN":              func(_ *server, c *client) { c.do("REIN") },
		"the client leaves": func(_ *server, c *client) { c.conn.Close() },
		"the core is killed": func(s *server, _ *client) {
			syscall.Kill(s.core(t), syscall.SIGKILL)
		},
		"the supervisor is killed": func(s *server, _ *client) { s.kill() },
		"the service stops": func(s *server, _ *client) {
			s.cmd.Process.Signal(syscall.SIGTERM)
			<-s.exited
		},
	} {
		t.Run(name, func(t *testing.T) {
			service, sessions := sessionService(t)
			s := serve(t, settings{
				"auth": fmt.Sprintf("pam_session = true\npam_service = %q\n", service),
			})
			c := login(t, s.addr, u.name, u.password)
			opened := "open_session " + u.name + "\n"
			if got := sessions(); got != opened {
				t.Fatalf("while the user is logged in: %q", got)
			}
			end(s, c)
			closed := opened + "close_session " + u.name + "\n"
			eventually(t, "the PAM session is closed", func() bool { return sessions() == closed })
		})
	}
	t.Run("refused login", func(t *testing.T) {
		service, sessions := sessionService(t)
		s := serve(t, settings{
			"auth":     fmt.Sprintf("pam_session = true\npam_service = %q\n", service),
			"defaults": "allow_from = [\"192.0.2.1\"]\n",
		})
		refuse(t, s.addr, u.name, u.password)
		want := "open_session " + u.name + "\nclose_session " + u.name + "\n"
		eventually(t, "the PAM session is closed", func() bool { return sessions() == want })
	})
}

// sessionService makes a PAM service that records when sessions are opened and closed. records
// returns one line for each.
func sessionService(t *testing.T) (name string, records func() string) {
	t.Helper()
	dir := t.TempDir()
	file, script := filepath.Join(dir, "sessions"), filepath.Join(dir, "record")
	writeFile(t, script, "#!/bin/sh\necho \"$PAM_TYPE $PAM_USER\" >>"+file+"\n", 0o700)
	name = "ftpdtest" + strings.ToLower(rand.Text()[:8])
	path := filepath.Join("/etc/pam.d", name)
	t.Cleanup(func() { os.Remove(path) })
	writeFile(t, path, "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"+
		"session required pam_exec.so quiet "+script+"\n", 0o644)
	return name, func() string {
		text, _ := os.ReadFile(file)
		return string(text)
	}
}

// TestDescriptorsOfHelpers checks that the helper of a waiting login has no descriptor but its
// socket and the standard ones, whatever the service has inherited.
func TestDescriptorsOfHelpers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	service, open := gatedService(t)
	port := freePort(t)
	s := newServer(t, port, "serve", "--config", writeConfig(t, port, settings{
		"auth": fmt.Sprintf("pam_service = %q\n", service),
	}))
	for range 5 { // descriptors 3 to 7 of the supervisor
		f, err := os.Open("/etc/shadow")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, f)
	}
	s.start(t)
	w := newWaiter(t, s.addr, "127.0.0.1", u.name)
	w.pass(u.password)
	supervisor := s.cmd.Process.Pid
	eventually(t, "the check has begun", func() bool { return len(gated(supervisor)) > 0 })
	helpers := 0
	for _, p := range descendants(supervisor) {
		args := commandLine(p)
		if filepath.Base(args[0]) != "ftpd-auth" {
			continue
		}
		helpers++
		sockets := 0
		for fd, target := range descriptors(p) {
			switch {
			case fd == 2, fd < 2 && target == "/dev/null":
			case strings.HasPrefix(target, "socket:"):
				sockets++
			case strings.HasPrefix(target, "anon_inode:[event"): // of Go, to wait
			default:
				t.Errorf("%q has descriptor %d: %s", args, fd, target)
			}
		}
		if sockets != 1 {
			t.Errorf("%q has %d sockets", args, sockets)
		}
	}
	if helpers == 0 {
		t.Error("no helper was found")
	}
	open()
	if r := w.answer(); !strings.HasPrefix(r, "230 ") {
		t.Errorf("the login was answered %s", r)
	}
}
