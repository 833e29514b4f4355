//go:build linux

package tests

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var limitKeys = []keyRow{
	{key: "limits.max_sessions", probe: (*keyRun).greetings, before: "220 220 220", set: `1`, after: "220 421 421", edge: `0`, atEdge: "220 220 220", wrong: `-1`},
	{key: "limits.max_sessions_per_ip", probe: (*keyRun).greetings, before: "220 220 220", set: `1`, after: "220 421 220", edge: `0`, atEdge: "220 220 220", wrong: `"1"`},
	{key: "limits.login_timeout", probe: (*keyRun).staysUnknown, ends: "after", before: "331", set: `"200ms"`, after: "421", edge: `"0s"`, atEdge: "331", wrong: `"1"`},
	{key: "limits.idle_timeout", probe: (*keyRun).staysIdle, ends: "after", before: "200", set: `"200ms"`, after: "421", edge: `"0s"`, atEdge: "200", wrong: `60`},
	{key: "limits.stall_timeout", probe: (*keyRun).stalls, ends: "after", before: "226", set: `"200ms"`, after: "421", edge: `"0s"`, atEdge: "226", wrong: `"-1s"`},
	{key: "limits.connect_timeout", probe: (*keyRun).connectsLate, ends: "after", before: "226", set: `"200ms"`, after: "425", edge: `"0s"`, atEdge: "226", wrong: `"1 s"`},
	{key: "limits.connect_timeout", probe: (*keyRun).acceptsLate, ends: "after", before: "226", set: `"200ms"`, after: "425", edge: `"0s"`, atEdge: "226", wrong: `30`},
	{key: "limits.download_rate", probe: (*keyRun).downloads, ends: "before", before: "226", set: `"1KiB"`, after: "waits", edge: `0`, atEdge: "226", wrong: `"1KiB/s"`},
	{key: "limits.upload_rate", probe: (*keyRun).uploads, ends: "before", before: "226", set: `"1KiB"`, after: "waits", edge: `0`, atEdge: "226", wrong: `-1`},
	{key: "defaults.session_download_rate", probe: (*keyRun).downloads, ends: "before", before: "226", set: `1024`, after: "waits", edge: `"0"`, atEdge: "226", wrong: `"fast"`},
	{key: "defaults.session_upload_rate", probe: (*keyRun).uploads, ends: "before", before: "226", set: `1024`, after: "waits", edge: `0`, atEdge: "226", wrong: `1.5`},
	{key: "defaults.user_download_rate", probe: (*keyRun).downloads, ends: "before", before: "226", set: `"1KB"`, after: "waits", edge: `0`, atEdge: "226", wrong: `"1 Kbit"`},
	{key: "defaults.user_upload_rate", probe: (*keyRun).uploads, ends: "before", before: "226", set: `"1KB"`, after: "waits", edge: `0`, atEdge: "226", wrong: `true`},
	{key: "defaults.max_file_size", probe: (*keyRun).uploadsThree, before: "226", set: `2`, after: "552", edge: `"3B"`, atEdge: "226", wrong: `"three"`},
	{key: "limits.min_free_space", probe: (*keyRun).uploadsThree, before: "226", set: `"8000000TiB"`, after: "452", edge: `"1KiB"`, atEdge: "226", wrong: `"99999999 TiB"`},
}

// Whoever counts is in no exempt network.
const counted = "ban.exempt = []\nauth.max_attempts = 1000\n"

var banKeys = []keyRow{
	{key: "ban.failures", beside: counted, probe: guesses(2), before: "230", set: `2`, after: "530", edge: `0`, atEdge: "230", wrong: `"ten"`},
	{key: "ban.address_failures", beside: counted, probe: (*keyRun).guessesAround, before: "220", set: `3`, after: "421", edge: `0`, atEdge: "220", wrong: `1.5`},
	{key: "ban.commands_per_second", beside: counted, probe: (*keyRun).hurries, before: "200, then 220", set: `20`, after: "421, then 421", edge: `0`, atEdge: "200, then 220", wrong: `-1`},
	{key: "ban.window", beside: counted + "ban.failures = 2\n", probe: guesses(2), before: "530", set: `"1us"`, after: "230", wrong: `"0s"`},
	{key: "ban.duration", beside: counted + "ban.failures = 1\n", probe: (*keyRun).comesBack, ends: "after", before: "530", set: `"1ms"`, after: "230", wrong: `"0s"`},
	{key: "ban.exempt", beside: "ban.failures = 1\n", probe: guesses(1), before: "230", set: `[]`, after: "530", edge: `["0.0.0.0/0"]`, atEdge: "230", wrong: `["localhost"]`},
}

// greetings are those of three sessions at one time, the last of which is another address's.
func (r *keyRun) greetings() string {
	_, first := r.dialFrom()
	_, second := r.dialFrom()
	_, third := r.dial()
	return codes(first, second, third)
}

// staysUnknown is what a client that never logs in is told.
func (r *keyRun) staysUnknown() string {
	c, _ := r.dial()
	return codes(r.outlasts(c, func() { io.WriteString(c.conn, "USER "+r.user.name+"\r\n") }))
}

func (r *keyRun) staysIdle() string {
	c, _ := r.login()
	return codes(r.outlasts(c, func() { io.WriteString(c.conn, "NOOP\r\n") }))
}

// stalls is how an upload ends of which nothing comes.
func (r *keyRun) stalls() string {
	c, _ := r.login()
	data, err := c.passive()
	if err != nil {
		return err.Error()
	}
	defer data.Close()
	c.ask("STOR " + r.path + "/up")
	return codes(r.outlasts(c, func() { data.Close() }))
}

// connectsLate is how an upload ends to which nobody connects.
func (r *keyRun) connectsLate() string {
	c, _ := r.login()
	address := c.ask("EPSV")
	if got := c.ask("STOR " + r.path + "/up"); got.code != 150 { // the port's time was over already
		return codes(got)
	}
	return codes(r.outlasts(c, func() {
		if data, err := c.dialData(address); err == nil {
			data.Close()
		}
	}))
}

// acceptsLate is how an upload ends whose client does not accept the server's connection: its queue is full.
func (r *keyRun) acceptsLate() string {
	l, err := fullListener(r.t)
	if err != nil {
		return err.Error()
	}
	c, _ := r.login()
	c.ask(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", l.Addr().(*net.TCPAddr).Port))
	c.ask("STOR " + r.path + "/up")
	return codes(r.outlasts(c, func() {
		go func() { // ends with the listener
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		}()
	}))
}

// fullListener has no room for another connection until one is accepted: the kernel does not answer.
func fullListener(t *testing.T) (net.Listener, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close() // the listener works on a duplicate
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		return nil, err
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { l.Close() })
	conn, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
	}
	return l, err
}

// much takes hours at the rates of the rows, and no time without.
const much = 16 << 20

// downloads is how a download of much ends, and "waits" where it does not.
func (r *keyRun) downloads() string {
	if err := os.Truncate(r.user.file(r.t, r.path+"/much", "", 0, 0, 0o644), much); err != nil {
		return err.Error()
	}
	return r.moves("RETR "+r.path+"/much", func(data net.Conn) { io.Copy(io.Discard, data) })
}

func (r *keyRun) uploads() string {
	return r.moves("STOR "+r.path+"/much", func(data net.Conn) { data.Write(make([]byte, much)) })
}

// uploadsThree is how an upload of three bytes ends.
func (r *keyRun) uploadsThree() string {
	c, _ := r.login()
	answer, err := c.store("STOR "+r.path+"/up", "abc")
	if err != nil {
		return err.Error()
	}
	return codes(answer)
}

func (r *keyRun) moves(line string, move func(net.Conn)) string {
	c, _ := r.login()
	data, err := c.passive()
	if err != nil {
		return err.Error()
	}
	defer data.Close()
	c.ask(line)
	go func() { // ends with the data connection
		move(data)
		data.Close()
	}()
	answer := r.outlasts(c, func() { c.conn.Close() })
	if answer.code == 0 {
		return "waits"
	}
	return codes(answer)
}

// guesses is what the right password is answered after so many wrong ones.
func guesses(n int) func(*keyRun) string {
	return func(r *keyRun) string {
		c, _ := r.dialFrom()
		for range n {
			c.logIn(r.user.name, "guessed")
		}
		return codes(c.logIn(r.user.name, r.user.password))
	}
}

// guessesAround is how a client is greeted after three wrong passwords of three users.
func (r *keyRun) guessesAround() string {
	c, _ := r.dialFrom()
	for _, name := range []string{"ftpdtest-a", "ftpdtest-b", "ftpdtest-c"} {
		c.logIn(name, "guessed")
	}
	_, greeting := r.dialFrom()
	return codes(greeting)
}

// hurries is the last answer to many commands at once, and the next greeting.
func (r *keyRun) hurries() string {
	const many = 100
	c, _ := r.dialFrom()
	io.WriteString(c.conn, strings.Repeat("NOOP\r\n", many))
	var answer reply
	for range many {
		next, err := c.reply()
		if err != nil {
			break
		}
		answer = next
	}
	_, greeting := r.dialFrom()
	return codes(answer) + ", then " + codes(greeting)
}

// comesBack is what the right password is answered once a ban is over; or, where that is not to be waited for, while it lasts.
func (r *keyRun) comesBack() string {
	c, _ := r.dialFrom()
	c.logIn(r.user.name, "guessed")
	r.begins()
	if r.enough != nil {
		<-r.enough
		return codes(c.logIn(r.user.name, r.user.password))
	}
	var answer reply
	eventually(r.t, "the ban ends", func() bool {
		answer = c.logIn(r.user.name, r.user.password)
		return answer.code == 230
	})
	return codes(answer)
}
