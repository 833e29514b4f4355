//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestMountOverARoot checks that a file system that is mounted over a root, as an automounter
// does, is served to the next client by another core. The core before it keeps its sessions, and
// a stop lets its transfers end.
func TestMountOverARoot(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u, shared := newAccount(t), sharedDir(t)
	u.file(t, "file", "text", u.uid, u.gid, 0o644)
	s := serve(t, settings{"end": fmt.Sprintf("[[user]]\nname = %q\n[[user.mount]]\npath = \"/shared\"\ndirectory = %q\n", u.name, shared)})
	idle, busy := login(t, s.addr, u.name, u.password), login(t, s.addr, u.name, u.password)
	up := beginUpload(t, busy, "upload")

	loginAfterMount(t, s, u, shared)
	if data, r, err := idle.retrieve("RETR file"); data != "text" || r.code != 226 || err != nil {
		t.Errorf("the session that was idle: %q, %v, %v", data, r, err)
	}

	cores := s.killCores(t, 5) // so that none serves when the stop comes
	s.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "no more clients are taken", func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			return true
		}
		conn.Close()
		return false
	})
	up.finish(t)
	<-s.exited
	if got := readFile(t, filepath.Join(u.home, "upload")); got != "one half, the other half" {
		t.Errorf("the upload has %q", got)
	}
	if found, _ := s.log.find(message("core died")); len(found) != cores {
		t.Errorf("the log names %d cores that died, want %d", len(found), cores)
	}
}

// loginAfterMount mounts over the user's directory /shared, and returns a session in the core that
// takes over.
func loginAfterMount(t *testing.T, s *server, u account, shared string) (c *client) {
	t.Helper()
	mountOver(t, shared)
	name := rand.Text()
	writeFile(t, filepath.Join(shared, name), "on what was mounted", 0o644)
	eventually(t, "a new session reaches what was mounted", func() bool {
		c = login(t, s.addr, u.name, u.password)
		// An old core may look at the file, but not read it.
		if _, r, err := c.retrieve("RETR /shared/" + name); err == nil && r.code == 226 {
			return true
		}
		c.conn.Close()
		return false
	})
	return c
}

// TestTooManyOldCores checks that sessions without a transfer end in every core but the last four
// that were replaced, also if an older core stays because of a transfer.
func TestTooManyOldCores(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const kept = 4
	u, shared := newAccount(t), sharedDir(t)
	s := serve(t, settings{"end": fmt.Sprintf("[[user]]\nname = %q\n[[user.mount]]\npath = \"/shared\"\ndirectory = %q\n", u.name, shared)})
	up := beginUpload(t, login(t, s.addr, u.name, u.password), "upload")
	var idle []*client
	for range 1 + kept {
		idle = append(idle, loginAfterMount(t, s, u, shared))
	}
	s.another(t, func() { mountOver(t, shared) })
	if r, err := idle[0].reply(); err != nil || r.code != 421 {
		t.Errorf("the client of the core before the last four reads %v, %v", r, err)
	}
	for _, c := range idle[1:] {
		if r, err := c.do("NOOP"); err != nil || r.code != 200 {
			t.Errorf("a client of the last four cores reads %v, %v", r, err)
		}
	}
	up.finish(t)
}

// TestReplacementsLoseNoConnection checks that every client is greeted while one core after the
// other takes over.
func TestReplacementsLoseNoConnection(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const replacements, connections = 20, 2000
	u, shared := newAccount(t), sharedDir(t)
	s := serve(t, settings{
		"limits": "max_sessions = 0\nmax_sessions_per_ip = 0\n",
		"end":    fmt.Sprintf("[[user]]\nname = %q\nhome = %q\n", u.name, shared),
	})
	var made atomic.Int64
	replaced := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() { // ends after the last replacement
			for running := true; running || made.Load() < connections; {
				c, greeting, err := dial(s.addr)
				if err != nil || greeting.code != 220 {
					t.Errorf("a client was greeted with %v, %v", greeting, err)
					return
				}
				c.conn.Close()
				made.Add(1)
				select {
				case <-replaced:
					running = false
				default:
				}
			}
		})
	}
	for range replacements {
		s.another(t, func() { mountOver(t, shared) })
	}
	t.Logf("%d clients were greeted until the last replacement", made.Load())
	close(replaced)
	clients.Wait()
}

// mountOver mounts an empty file system.
func mountOver(t *testing.T, dir string) {
	t.Helper()
	command(t, "", "mount", "-t", "tmpfs", "-o", "mode=755", "none", dir)
	t.Cleanup(func() { unmount(t, dir) })
}

// unmount takes the newest mount at dir away. It is busy as long as a core that starts opens the
// roots.
func unmount(t *testing.T, dir string) {
	t.Helper()
	eventually(t, dir+" is not busy", func() bool {
		return exec.Command("umount", dir).Run() == nil
	})
}

// unmountLazily takes the newest mount at dir away, even while it is busy: it ends with its last
// use.
func unmountLazily(t *testing.T, dir string) {
	t.Helper()
	command(t, "", "umount", "--lazy", dir)
}

// killCores kills the newest core until the log has reported pauses times that the next core has
// to wait. It returns how many cores it killed.
func (s *server) killCores(t *testing.T, pauses int) (killed int) {
	t.Helper()
	waits := func() int {
		found, _ := s.log.find(message("cores die again and again: the next one waits"))
		return len(found)
	}
	for waits() < pauses {
		deaths, _ := s.log.find(message("core died"))
		before := waits()
		killed++
		eventually(t, "a core can be killed", func() bool {
			ready, _ := s.log.find(message("core ready"))
			return len(ready) == killed+1 && syscall.Kill(s.newestCore(), syscall.SIGKILL) == nil
		})
		eventually(t, "the log has it", func() bool {
			now, _ := s.log.find(message("core died"))
			return len(now) > len(deaths) && (killed == 1 || waits() > before)
		})
	}
	return killed
}

// newestCore returns the core that was started last; -1 while there is none.
func (s *server) newestCore() int {
	newest := -1
	for _, p := range descendants(s.cmd.Process.Pid) {
		if args := commandLine(p); running(p) && len(args) > 1 && args[1] == "core" {
			newest = max(newest, p)
		}
	}
	return newest
}

// An upload is an upload of which the test has sent one half.
type upload struct {
	control *client
	data    net.Conn
}

func beginUpload(t *testing.T, c *client, name string) upload {
	t.Helper()
	data, err := c.passive()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	if r, err := c.do("STOR " + name); err != nil || r.code >= 400 {
		t.Fatalf("STOR %s: %v, %v", name, r, err)
	}
	if _, err := io.WriteString(data, "one half, "); err != nil {
		t.Fatal(err)
	}
	return upload{c, data}
}

func (u upload) finish(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(u.data, "the other half"); err != nil {
		t.Fatal(err)
	}
	u.data.Close()
	if r, err := u.control.reply(); err != nil || r.code != 226 {
		t.Errorf("the end of the upload: %v, %v", r, err)
	}
}
