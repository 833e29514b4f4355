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
	{
		key: "limits.max_sessions", probe: (*keyRun).greetings, wantBase: "220 220 220",
		value: `1`, wantValue: "220 421 421", edgeValue: `0`, wantEdge: "220 220 220",
		wrongValue: `-1`,
	},
	{
		key: "limits.max_sessions_per_ip", probe: (*keyRun).greetings, wantBase: "220 220 220",
		value: `1`, wantValue: "220 421 220", edgeValue: `0`, wantEdge: "220 220 220",
		wrongValue: `"1"`,
	},
	{
		key: "limits.max_unauthenticated", probe: (*keyRun).firstOfThree, endsByItself: "value",
		wantBase: "200", value: `2`, wantValue: "421", edgeValue: `0`, wantEdge: "200",
		wrongValue: `"many"`,
	},
	{
		key: "limits.login_timeout", probe: (*keyRun).noLogin, endsByItself: "value",
		wantBase: "331", value: `"200ms"`, wantValue: "421", edgeValue: `"0s"`, wantEdge: "331",
		wrongValue: `"1"`,
	},
	{
		key: "limits.idle_timeout", probe: (*keyRun).idle, endsByItself: "value",
		wantBase: "200", value: `"200ms"`, wantValue: "421", edgeValue: `"0s"`, wantEdge: "200",
		wrongValue: `60`,
	},
	{
		key: "limits.stall_timeout", probe: (*keyRun).stalls, endsByItself: "value",
		wantBase: "226", value: `"200ms"`, wantValue: "421", edgeValue: `"0s"`, wantEdge: "226",
		wrongValue: `"-1s"`,
	},
	{
		key: "limits.connect_timeout", probe: (*keyRun).connectsLate, endsByItself: "value",
		wantBase: "226", value: `"200ms"`, wantValue: "425", edgeValue: `"0s"`, wantEdge: "226",
		wrongValue: `"1 s"`,
	},
	{
		key: "limits.connect_timeout", probe: (*keyRun).acceptsLate, endsByItself: "value",
		wantBase: "226", value: `"200ms"`, wantValue: "425", edgeValue: `"0s"`, wantEdge: "226",
		wrongValue: `30`,
	},
	{
		key: "limits.download_rate", probe: (*keyRun).downloads, endsByItself: "base",
		wantBase: "226", value: `"1KiB"`, wantValue: "waits", edgeValue: `0`, wantEdge: "226",
		wrongValue: `"1KiB/s"`,
	},
	{
		key: "limits.upload_rate", probe: (*keyRun).uploads, endsByItself: "base",
		wantBase: "226", value: `"1KiB"`, wantValue: "waits", edgeValue: `0`, wantEdge: "226",
		wrongValue: `-1`,
	},
	{
		key: "defaults.session_download_rate", probe: (*keyRun).downloads, endsByItself: "base",
		wantBase: "226", value: `1024`, wantValue: "waits", edgeValue: `"0"`, wantEdge: "226",
		wrongValue: `"fast"`,
	},
	{
		key: "defaults.session_upload_rate", probe: (*keyRun).uploads, endsByItself: "base",
		wantBase: "226", value: `1024`, wantValue: "waits", edgeValue: `0`, wantEdge: "226",
		wrongValue: `1.5`,
	},
	{
		key: "defaults.user_download_rate", probe: (*keyRun).downloads, endsByItself: "base",
		wantBase: "226", value: `"1KB"`, wantValue: "waits", edgeValue: `0`, wantEdge: "226",
		wrongValue: `"1 Kbit"`,
	},
	{
		key: "defaults.user_upload_rate", probe: (*keyRun).uploads, endsByItself: "base",
		wantBase: "226", value: `"1KB"`, wantValue: "waits", edgeValue: `0`, wantEdge: "226",
		wrongValue: `true`,
	},
	{
		key: "defaults.max_file_size", probe: (*keyRun).uploadsThree, wantBase: "226",
		value: `2`, wantValue: "552", edgeValue: `"3B"`, wantEdge: "226", wrongValue: `"three"`,
	},
	{
		key: "limits.min_free_space", probe: (*keyRun).uploadsThree, wantBase: "226",
		value: `"8000000TiB"`, wantValue: "452", edgeValue: `"1KiB"`, wantEdge: "226",
		wrongValue: `"99999999 TiB"`,
	},
}

// counted permits any number of failures on one connection, so that only bans end them.
const counted = "auth.max_attempts = 1000\n"

var banKeys = []keyRow{
	{
		key: "ban.failures", probe: guesses(2), otherSettings: counted, wantBase: "230",
		value: `2`, wantValue: "530", edgeValue: `0`, wantEdge: "230", wrongValue: `"ten"`,
	},
	{
		key: "ban.address_failures", probe: (*keyRun).guessesAround, otherSettings: counted,
		wantBase: "220", value: `3`, wantValue: "421", edgeValue: `0`, wantEdge: "220",
		wrongValue: `1.5`,
	},
	{
		key: "ban.commands_per_second", probe: (*keyRun).hurries, otherSettings: counted,
		wantBase: "200, then 220", value: `20`, wantValue: "421, then 421",
		edgeValue: `0`, wantEdge: "200, then 220", wrongValue: `-1`,
	},
	{
		key: "ban.window", probe: guesses(2), otherSettings: counted + "ban.failures = 2\n",
		wantBase: "530", value: `"1us"`, wantValue: "230", wrongValue: `"0s"`,
	},
	{
		key: "ban.duration", probe: (*keyRun).afterBan, endsByItself: "value",
		otherSettings: counted + "ban.failures = 1\n", wantBase: "530",
		value: `"1ms"`, wantValue: "230", wrongValue: `"0s"`,
	},
	{
		key: "ban.exempt", probe: guesses(1), otherSettings: "ban.failures = 1\n",
		wantBase: "530", value: `["127.0.0.0/8"]`, wantValue: "230",
		edgeValue: `["::/0"]`, wantEdge: "530", wrongValue: `["localhost"]`,
	},
}

// greetings returns the greetings of three sessions at one time, the last from another address.
func (r *keyRun) greetings() string {
	_, first := r.dialFrom()
	_, second := r.dialFrom()
	_, third := r.dial()
	return codes(first, second, third)
}

// firstOfThree returns the reply that the first of three sessions without a login gets.
func (r *keyRun) firstOfThree() string {
	first, _ := r.dialFrom()
	second, _ := r.dialFrom()
	if _, third := r.dial(); third.code != 220 || second.send("NOOP").code != 200 {
		return "another session was ended"
	}
	return codes(r.outlasts(first, func() { io.WriteString(first.conn, "NOOP\r\n") }))
}

// noLogin returns the reply that a client gets that never logs in.
func (r *keyRun) noLogin() string {
	c, _ := r.dial()
	return codes(r.outlasts(c, func() { io.WriteString(c.conn, "USER "+r.user.name+"\r\n") }))
}

// idle returns the reply that a logged-in client gets that sends nothing.
func (r *keyRun) idle() string {
	c, answer := r.login()
	if answer.code != 230 { // on a busy machine the timeout may come before the end of the login
		return codes(answer)
	}
	return codes(r.outlasts(c, func() { io.WriteString(c.conn, "NOOP\r\n") }))
}

// stalls returns the reply to an upload that sends no data.
func (r *keyRun) stalls() string {
	c, _ := r.login()
	data, err := c.passive()
	if err != nil {
		return err.Error()
	}
	defer data.Close()
	c.send("STOR " + r.path + "/up")
	return codes(r.outlasts(c, func() { data.Close() }))
}

// connectsLate returns the reply to an upload when the client does not open the data connection.
func (r *keyRun) connectsLate() string {
	c, _ := r.login()
	address := c.send("EPSV")
	// the port had been closed already
	if got := c.send("STOR " + r.path + "/up"); got.code != 150 {
		return codes(got)
	}
	return codes(r.outlasts(c, func() {
		if data, err := c.dialData(address); err == nil {
			data.Close()
		}
	}))
}

// acceptsLate returns the reply to an upload when the client does not accept the server's
// connection, because its queue is full.
func (r *keyRun) acceptsLate() string {
	l, err := fullListener(r.t)
	if err != nil {
		return err.Error()
	}
	c, _ := r.login()
	c.send(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", l.Addr().(*net.TCPAddr).Port))
	c.send("STOR " + r.path + "/up")
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

// fullListener returns a listener with a full queue: the kernel does not answer another
// connection until one is accepted.
func fullListener(t *testing.T) (net.Listener, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close() // the listener works on a duplicate
	at := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(fd, at), unix.Listen(fd, 0)); err != nil {
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

// much is a size that takes hours at the rates of the rows, and no time without a rate.
const much = 16 << 20

// downloads returns the reply to a download of much bytes, or "waits" where it does not end.
func (r *keyRun) downloads() string {
	if err := os.Truncate(r.user.file(r.t, r.path+"/much", "", 0, 0, 0o644), much); err != nil {
		return err.Error()
	}
	return r.moves("RETR "+r.path+"/much", func(data net.Conn) { io.Copy(io.Discard, data) })
}

// uploads does the same with an upload.
func (r *keyRun) uploads() string {
	return r.moves("STOR "+r.path+"/much", func(data net.Conn) { data.Write(make([]byte, much)) })
}

// uploadsThree returns the reply to an upload of three bytes.
func (r *keyRun) uploadsThree() string {
	c, _ := r.login()
	answer, err := c.store("STOR "+r.path+"/up", "abc")
	if err != nil {
		return err.Error()
	}
	return codes(answer)
}

// moves returns the reply to a transfer, or "waits" where it does not end.
func (r *keyRun) moves(line string, move func(net.Conn)) string {
	c, _ := r.login()
	data, err := c.passive()
	if err != nil {
		return err.Error()
	}
	defer data.Close()
	c.send(line)
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

// guesses returns the reply to the right password after n wrong ones.
func guesses(n int) func(*keyRun) string {
	return func(r *keyRun) string {
		c, _ := r.dialFrom()
		for range n {
			c.logIn(r.user.name, "guessed")
		}
		return codes(c.logIn(r.user.name, r.user.password))
	}
}

// guessesAround returns the greeting after wrong passwords for three users.
func (r *keyRun) guessesAround() string {
	c, _ := r.dialFrom()
	for _, name := range []string{"ftpdtest-a", "ftpdtest-b", "ftpdtest-c"} {
		c.logIn(name, "guessed")
	}
	_, greeting := r.dialFrom()
	return codes(greeting)
}

// hurries returns the last reply to many commands at once, and the next greeting.
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

// afterBan returns the reply to the right password after the end of a ban or, in a run that does not end by
// itself, during the ban.
func (r *keyRun) afterBan() string {
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
