package control

import (
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/ftpwire"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/transport"
)

func pipe(buffers *transport.Buffers) (Conn, *memnet.Conn, *memnet.Conn) {
	server, client := memnet.Pipe(
		netip.MustParseAddrPort("192.0.2.1:21"), netip.MustParseAddrPort("192.0.2.9:9"))
	return New(server, buffers), server, client
}

// Lines run in the order in which they came. Those that wait are kept, with all that is behind them
// and waits too, until they are due.
func TestRun(t *testing.T) {
	c, _, _ := pipe(&transport.Buffers{})
	var ran []string
	busy := false // lines in upper case wait
	run := func(text string) string {
		ran = nil
		c.Run([]byte(text), func(line []byte, behind bool) bool {
			return busy && (behind || strings.ToUpper(string(line)) == string(line))
		}, func(line []byte) bool {
			ran = append(ran, string(line))
			return string(line) != "quit"
		})
		return strings.Join(ran, ",")
	}
	for i, step := range []struct {
		text  string
		busy  bool
		ran   string
		ahead int
	}{
		{"a\r\nb\nc", false, "a,b", 1},
		{"d\r\n", false, "cd", 0},
		{"e\r\nF\r\ng\r\nh", true, "e", 7},
		{"i\r\n", true, "", 10},
		{"", false, "", 10}, // nothing is due
		{"j\r\n", false, "j", 10},
	} {
		busy = step.busy
		if got := run(step.text); got != step.ran || c.Ahead() != step.ahead {
			t.Errorf("step %d runs %q, %d bytes are kept", i, got, c.Ahead())
		}
	}
	if !c.HasWaiting() {
		t.Error("no line waits")
	}
	c.Due()
	if got := run(""); got != "F,g,hi" || c.Ahead() != 0 || c.HasWaiting() {
		t.Errorf("those that waited: %q, %d bytes are kept", got, c.Ahead())
	}
	if got := run("k\r\nquit\r\nl\r\nm"); got != "k,quit" || c.Ahead() != 0 {
		t.Errorf("behind the last line: %q, %d bytes are kept", got, c.Ahead())
	}
}

// Replies are written together, but the one that names a port begins a write, and much output does
// not wait.
func TestReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server, client := pipe(&transport.Buffers{})
		read := func() string {
			client.SetReadDeadline(time.Now().Add(time.Nanosecond))
			text, _ := io.ReadAll(client)
			return string(text)
		}
		flushes := 0
		flush := func() bool {
			flushes++
			err := c.Flush()
			if err != nil {
				t.Error(err)
			}
			return err == nil
		}
		c.Add(ftpwire.Replyf(200, "one"), flush)
		c.Add(ftpwire.Replyf(200, "two"), flush)
		if got := read(); flushes != 0 || got != "" || !c.HasReplies() {
			t.Errorf("%d writes: %q", flushes, got)
		}
		c.Add(ftpwire.Replyf(229, "Entering Extended Passive Mode (|||1|)"), flush)
		if got := read(); flushes != 1 || got != "200 one\r\n200 two\r\n" {
			t.Errorf("before a port: %d writes: %q", flushes, got)
		}
		flush()
		if got := read(); !strings.HasPrefix(got, "229 ") || c.HasReplies() {
			t.Errorf("the port: %q", got)
		}
		flushes = 0
		for range 1000 {
			c.Add(ftpwire.Replyf(200, "OK."), flush)
		}
		flush()
		if got := read(); got != strings.Repeat("200 OK.\r\n", 1000) || flushes < 2 {
			t.Errorf("much output: %d writes, %d bytes", flushes, len(got))
		}
		server.Close()
		c.Add(ftpwire.Replyf(200, "lost"), flush)
		if err := c.Flush(); err == nil || c.HasReplies() {
			t.Errorf("the connection is closed: %v", err)
		}
	})
}

// The deadline moves only when it has passed, or when the session's time is over earlier.
func TestClock(t *testing.T) {
	now := time.Now()
	in := func(d time.Duration) time.Time { return now.Add(d) }
	for _, test := range []struct {
		idle        time.Duration
		limit, want time.Time
	}{
		{0, time.Time{}, time.Time{}},
		{0, in(5), in(5)},
		{3, time.Time{}, in(3)},
		{3, in(5), in(3)},
		{7, in(5), in(5)},
	} {
		c := Clock{Active: now, Idle: test.idle}
		if got := c.Due(test.limit); !got.Equal(test.want) {
			t.Errorf("%v, %v: %v", test.idle, test.limit, got)
		}
	}
	conn := &deadlines{}
	var c Clock
	for _, due := range []time.Time{{}, in(5), in(7), in(3), {}} {
		c.Arm(conn, due)
	}
	c.Disarm(conn)
	c.Arm(conn, in(9))
	want := []time.Time{in(5), in(3), {}, in(9)}
	if len(conn.set) != len(want) {
		t.Fatal(conn.set)
	}
	for i, at := range conn.set {
		if !at.Equal(want[i]) {
			t.Errorf("deadline %d is %v", i, at)
		}
	}
}

// A deadlines is a connection that records its read deadlines.
type deadlines struct {
	transport.Conn
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}
