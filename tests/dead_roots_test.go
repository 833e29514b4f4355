//go:build linux

package tests

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A deadRoot is a file system that may hang or die. It is the home of one user of a service; the
// home of another user is elsewhere.
type deadRoot struct {
	*fuseServer
	port        uint16
	config      string
	lost, other account
	server      *server
}

func newDeadRoot(t *testing.T) *deadRoot {
	t.Helper()
	needRoot(t)
	d := &deadRoot{lost: newAccount(t), other: newAccount(t),
		fuseServer: mountFUSE(t, sharedDir(t))}
	d.port = freePort(t)
	d.config = writeConfig(t, d.port, settings{
		"server": "drain_timeout = \"1s\"\n",
		"end":    fmt.Sprintf("[[user]]\nname = %q\nhome = %q\n", d.lost.name, d.dir),
	})
	d.server = newServer(t, d.port, "serve", "--config", d.config)
	return d
}

// servesOthers checks that the root is left out with a warning, and that this affects its user
// alone.
func (d *deadRoot) servesOthers(t *testing.T, cause string) {
	t.Helper()
	const leftOut = "this root is left out: users whose home is there are refused"
	r := d.server.log.wait(t, leftOut, message(leftOut))
	if r.Directory != d.dir || !strings.Contains(r.Error, cause) {
		t.Errorf("left out: %q, %q", r.Directory, r.Error)
	}
	login(t, d.server.addr, d.other.name, d.other.password)
	if got, _ := refuse(t, d.server.addr, d.lost.name, d.lost.password); got.code != 530 {
		t.Errorf("the user whose home is there gets %v", got)
	}
	r = d.server.log.wait(t, "login_failed", message("login_failed"))
	if !strings.Contains(r.Cause, d.dir+" is left out") || !strings.Contains(r.Cause, cause) {
		t.Errorf("the log has %q", r.Cause)
	}
}

// another calls something, which leads to another core, and waits for that core.
func (s *server) another(t *testing.T, something func()) {
	t.Helper()
	before, _ := s.log.find(message("core ready"))
	something()
	eventually(t, "another core takes over", func() bool {
		now, _ := s.log.find(message("core ready"))
		return len(now) > len(before)
	})
}

// checkWarns checks that `ftpd check` prints a warning and ends by itself.
func (d *deadRoot) checkWarns(t *testing.T, cause string) {
	t.Helper()
	out, code := checkAs(t, d.config, nil)
	if code != 0 || !strings.Contains(out, "warning: user.home: "+d.dir+" cannot be used: "+cause) {
		t.Errorf("exit %d:\n%s", code, out)
	}
}

// TestDeadRoot checks that a root does not affect other users when its FUSE server has died, and
// is served again once it is mounted again.
func TestDeadRoot(t *testing.T) {
	t.Parallel()
	d := newDeadRoot(t)
	d.die()
	d.checkWarns(t, "transport endpoint is not connected")
	d.server.start(t)
	d.servesOthers(t, "transport endpoint is not connected")
	d.server.another(t, func() { unmountLazily(t, d.dir) })
	d.server.another(t, func() { mountFUSE(t, d.dir) })
	login(t, d.server.addr, d.lost.name, d.lost.password)
}

// TestHangingRoot checks that a root that does not answer does not affect other users, even when
// a core dies meanwhile, and is served once it answers.
func TestHangingRoot(t *testing.T) {
	t.Parallel()
	d := newDeadRoot(t)
	d.stop()
	d.checkWarns(t, "its file system does not answer")
	d.server.start(t)
	d.servesOthers(t, "its file system does not answer")
	waiting := d.waiting()
	core := d.server.core(t)
	d.server.another(t, func() { syscall.Kill(core, syscall.SIGKILL) })
	login(t, d.server.addr, d.other.name, d.other.password)
	if now := d.waiting(); now != waiting {
		t.Errorf("%d calls wait for the root, before it were %d", now, waiting)
	}
	d.server.another(t, d.proceed)
	login(t, d.server.addr, d.lost.name, d.lost.password)
}

// TestStopWhileARootHangs checks that a stop by the service manager ends a start that waits for a
// root.
func TestStopWhileARootHangs(t *testing.T) {
	t.Parallel()
	d := newDeadRoot(t)
	d.stop()
	d.server.launch(t)
	eventually(t, "the start waits for the root", func() bool { return d.waiting() > 0 })
	d.server.cmd.Process.Signal(syscall.SIGTERM)
	<-d.server.exited
	if found, _ := d.server.log.find(message("start")); len(found) > 0 {
		t.Error("the service had started before it was stopped")
	}
}

// TestCoreDiesInADeadRoot checks that a core that has died while the kernel holds up one of its
// threads is replaced, though its process cannot end.
func TestCoreDiesInADeadRoot(t *testing.T) {
	t.Parallel()
	d := newDeadRoot(t)
	d.server.start(t)
	d.killHangingCore(t)
	login(t, d.server.addr, d.other.name, d.other.password)
	d.die()
}

// TestStartBesideAHangingCore checks that a service can be stopped and started again although a core
// has died that cannot end, because the kernel holds up one of its threads.
func TestStartBesideAHangingCore(t *testing.T) {
	t.Parallel()
	d := newDeadRoot(t)
	d.server.start(t)
	core := d.killHangingCore(t)
	d.server.cmd.Process.Signal(syscall.SIGTERM)
	<-d.server.exited
	if status(core, "State") == "" {
		t.Fatal("the core has ended")
	}
	next := newServer(t, d.port, "serve", "--config", d.config)
	next.start(t)
	login(t, next.addr, d.other.name, d.other.password)
	d.die()
}

// killHangingCore kills the core while it waits for the root, and waits until another one takes
// over. It returns the process id of the first, which cannot end.
func (d *deadRoot) killHangingCore(t *testing.T) (core int) {
	t.Helper()
	c := login(t, d.server.addr, d.lost.name, d.lost.password)
	d.stop()
	if _, err := io.WriteString(c.conn, "SIZE file\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the core waits for the root", func() bool { return d.waiting() > 0 })
	core = d.server.core(t)
	d.server.another(t, func() { syscall.Kill(core, syscall.SIGKILL) })
	return core
}

// TestManyLoginsToADeadFileSystem checks that logins whose homes are on a file system that hangs
// cost a few threads, however many they are, and that another user logs in meanwhile.
func TestManyLoginsToADeadFileSystem(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const users, threads = 200, 16
	other := newAccount(t)
	dead := mountFUSE(t, sharedDir(t))
	var config strings.Builder
	fmt.Fprint(&config, "[ban]\nfailures = 0\naddress_failures = 0\n")
	for i := range users {
		fmt.Fprintf(&config, "[[user]]\nname = \"dead%d\"\npassword = %q\nrun_as = %q\nhome = %q\n",
			i, hashes["sha512-crypt"], other.name, dead.dir+"/{user}")
	}
	s := serve(t, settings{
		"auth": "failure_delay = \"0s\"\n", "end": config.String(),
		"limits": "max_sessions_per_ip = 0\n",
	})
	dead.stop()
	var logins sync.WaitGroup
	for i := range users {
		logins.Go(func() { // ends with the refusal
			if c, err := logIn(s.addr, fmt.Sprintf("dead%d", i), "secret"); err == nil {
				c.conn.Close()
				t.Errorf("dead%d has logged in", i)
			}
		})
	}
	eventually(t, "logins wait for the file system", func() bool { return dead.waiting() >= threads })
	login(t, s.addr, other.name, other.password)
	logins.Wait()
	login(t, s.addr, other.name, other.password)
	if n := dead.waiting(); n != threads {
		t.Errorf("%d calls wait for the file system, want %d", n, threads)
	}
	dead.die()
}

// TestManySessionsInADeadFileSystem checks that the sessions of a user that hang in the file system
// of the home do not affect another user who has the same account of the system (run_as).
func TestManySessionsInADeadFileSystem(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const sessions, threads = 70, 64
	owner := newAccount(t)
	dead := mountFUSE(t, sharedDir(t))
	user := func(name, home string) string {
		return fmt.Sprintf("[[user]]\nname = %q\npassword = %q\nrun_as = %q\nhome = %q\n",
			name, hashes["sha512-crypt"], owner.name, home)
	}
	s := serve(t, settings{
		"limits": "max_sessions_per_ip = 0\n",
		"end":    user("dead", dead.dir) + user("other", owner.home),
	})
	var all []*client
	for range sessions {
		all = append(all, login(t, s.addr, "dead", "secret"))
	}
	dead.stop()
	for _, c := range all {
		if _, err := io.WriteString(c.conn, "SIZE file\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "sessions wait for the file system", func() bool {
		return dead.waiting() >= threads
	})
	c := login(t, s.addr, "other", "secret")
	c.expect(t, 550, "SIZE file")
	dead.die()
}
