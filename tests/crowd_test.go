//go:build linux

package tests

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestManyLoginsAtOnce checks that right passwords that arrive at one moment from one address, as
// from an office behind NAT, are all accepted: each login waits for its turn.
func TestManyLoginsAtOnce(t *testing.T) {
	needRoot(t)
	const logins = 300
	u := newAccount(t)
	s := serve(t, settings{"limits": "max_sessions_per_ip = 0\nlogin_timeout = \"10m\"\n"})
	clients := make([]*waiter, logins)
	for i := range clients {
		clients[i] = newWaiter(t, s.addr, "127.0.0.1", u.name)
	}
	began := time.Now()
	for _, c := range clients {
		c.pass(u.password)
	}
	replies := map[string]int{}
	for _, c := range clients {
		replies[c.answer()]++
	}
	t.Logf("%d logins took %v", logins, time.Since(began))
	if replies["230 Login successful."] != logins || len(replies) != 1 {
		t.Errorf("%d logins were answered %v", logins, replies)
	}
}

// TestFullQueueOfLogins checks the bounded queue of logins. One address may fill it, and a
// login of another address then takes one of its places. A login without a place gets 421.
// Clients that hang up lose their place.
func TestFullQueueOfLogins(t *testing.T) {
	needRoot(t)
	const places, over = 512, 5
	u := newAccount(t)
	service, open := gatedService(t)
	s := serve(t, settings{
		"auth":   "failure_delay = \"0s\"\npam_service = \"" + service + "\"\n",
		"limits": "max_sessions_per_ip = 0\nlogin_timeout = \"10m\"\n",
	})
	crowd := make([]*waiter, runtime.NumCPU()+places+over)
	answers := make(chan string, len(crowd)+2)
	var reading sync.WaitGroup
	enter := func(from string) *waiter {
		c := newWaiter(t, s.addr, from, u.name)
		c.pass(u.password)
		reading.Go(func() { answers <- c.answer() }) // ends with the connection
		return c
	}
	for i := range crowd {
		if i == runtime.NumCPU() { // the others enter behind those that have a turn
			eventually(t, "the turns are taken",
				func() bool { return len(gated(s.cmd.Process.Pid)) == i })
		}
		crowd[i] = enter("127.0.0.1")
	}
	const full = "421 Closing the control connection: too many logins are waiting."
	for range over {
		if r := <-answers; r != full {
			t.Errorf("without a place: %s", r)
		}
	}
	s.log.wait(t, "the cause", func(r record) bool {
		return r.Message == "login_failed" && r.Reply == 421 &&
			strings.Contains(r.Cause, "limits.max_sessions_per_ip")
	})
	other := enter("127.0.0.2")
	if r := <-answers; r != full {
		t.Errorf("the last of the crowd, once another address came: %s", r)
	}
	for _, c := range crowd[runtime.NumCPU():] {
		c.conn.Close()
	}
	eventually(t, "the clients that hung up have left the queue", func() bool {
		gone, _ := s.log.find(func(r record) bool {
			return r.Message == "login_failed" && r.Reply == 0 && // none was read
				strings.Contains(r.Cause, "waited for its turn")
		})
		return len(gone) >= 100 // the log has the number of the others
	})
	last := enter("127.0.0.1")
	open()
	reading.Wait()
	close(answers)
	let := 0
	for r := range answers {
		if strings.HasPrefix(r, "230 ") {
			let++
		}
	}
	if want := runtime.NumCPU() + 2; let != want {
		t.Errorf("%d of the %d that stayed were accepted", let, want)
	}
	other.conn.Close()
	last.conn.Close()
}

// A waiter is a client that gets the reply to PASS late.
type waiter struct {
	conn net.Conn
	in   *bufio.Reader
}

// newWaiter connects from an address and sends USER.
func newWaiter(t *testing.T, addr, from, user string) *waiter {
	t.Helper()
	c, err := dialFrom(addr, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	c.expect(t, 331, "USER "+user)
	c.conn.SetDeadline(time.Time{})
	return &waiter{c.conn, c.in}
}

func (w *waiter) pass(password string) { io.WriteString(w.conn, "PASS "+password+"\r\n") }

// answer waits for the reply; "" is a closed connection.
func (w *waiter) answer() string {
	line, _ := w.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n")
}

// gatedService makes a PAM service with logins that hold their turn until open is called.
func gatedService(t *testing.T) (name string, open func()) {
	t.Helper()
	need(t, "flock")
	gate, err := os.Create(filepath.Join(t.TempDir(), "gate"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(gate.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	open = sync.OnceFunc(func() { gate.Close() })
	t.Cleanup(open)
	name = "ftpdtest" + strings.ToLower(rand.Text()[:8])
	path := filepath.Join("/etc/pam.d", name)
	writeFile(t, path, fmt.Sprintf(`auth required pam_unix.so nodelay
auth required pam_exec.so quiet /usr/bin/flock --shared %s /bin/true
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
`, gate.Name()), 0o644)
	t.Cleanup(func() { os.Remove(path) })
	return name, open
}

// TestManyClientsAtOnce checks that 1,000 clients that connect at one moment all log in, though none
// of them has logged in while the others arrive.
func TestManyClientsAtOnce(t *testing.T) {
	needRoot(t)
	const clients = 1000
	dir := sharedDir(t)
	s := serve(t, settings{
		"anonymous": fmt.Sprintf("enabled = true\ndirectory = %q\n", dir),
		"limits":    "max_sessions = 2000\n",
	})
	var connecting, loggedIn sync.WaitGroup
	connecting.Add(clients)
	replies := make(chan string, clients)
	for i := range clients {
		loggedIn.Go(func() { // ends with the login
			c, err := dialFrom(s.addr, fmt.Sprintf("127.4.0.%d", i%25+1))
			connecting.Done()
			if err != nil {
				replies <- err.Error()
				return
			}
			defer c.conn.Close()
			connecting.Wait()
			replies <- fmt.Sprint(c.logIn("anonymous", "a@example.org").code)
		})
	}
	loggedIn.Wait()
	close(replies)
	count := map[string]int{}
	for r := range replies {
		count[r]++
	}
	if count["230"] != clients {
		t.Errorf("%d clients were answered %v", clients, count)
	}
}
