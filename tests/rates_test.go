//go:build linux

package tests

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// measuring returns how long rates are measured: a second, or FTPD_TEST_RATES, such as "10s". Where that
// is set, exact is true: the machine does nothing else, and rates, pauses and CPU time are checked.
func measuring(t *testing.T) (length time.Duration, exact bool) {
	t.Helper()
	text := os.Getenv("FTPD_TEST_RATES")
	if text == "" {
		return time.Second, false
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return length, true
}

// A stream is one transfer, with the count of its bytes at the receiver.
type stream struct {
	control, data net.Conn
	moved         func() int64
}

// stream starts RETR or STOR.
func (c *client) stream(t *testing.T, line, file string) stream {
	t.Helper()
	raw, err := c.passive()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	if r, err := c.do(line); err != nil || r.code >= 200 {
		t.Fatalf("%s: %v, %v", line, r, err)
	}
	conn := raw
	if c.tls != nil {
		conn = tls.Client(conn, c.tls)
	}
	if strings.HasPrefix(line, "STOR") {
		go io.Copy(conn, endless{}) // ends with the connection
		return stream{c.conn, raw, func() int64 {
			info, err := os.Stat(file)
			if err != nil {
				return 0
			}
			return info.Size()
		}}
	}
	n := new(counter)
	go io.Copy(n, conn) // ends likewise
	return stream{c.conn, raw, n.Load}
}

type counter struct{ atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.Add(int64(len(p)))
	return len(p), nil
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// measure returns how many bytes all of the streams moved in a second, and the longest time in which one
// of them moved none.
func measure(length time.Duration, streams ...stream) (rate float64, pause time.Duration) {
	began := time.Now()
	last, changed := make([]int64, len(streams)), make([]time.Time, len(streams))
	for i, s := range streams {
		last[i], changed[i] = s.moved(), began
	}
	first := total(streams)
	ticks := time.NewTicker(10 * time.Millisecond)
	defer ticks.Stop()
	now := began
	for now.Sub(began) < length {
		<-ticks.C
		now = time.Now()
		for i, s := range streams {
			pause = max(pause, now.Sub(changed[i]))
			if n := s.moved(); n != last[i] {
				last[i], changed[i] = n, now
			}
		}
	}
	return float64(total(streams)-first) / time.Since(began).Seconds(), pause
}

// total returns how many bytes all of the streams have moved.
func total(streams []stream) (sum int64) {
	for _, s := range streams {
		sum += s.moved()
	}
	return sum
}

// cpuTime returns the CPU time that a process has used.
func cpuTime(pid int) time.Duration {
	_, rest, _ := strings.Cut(procFile(pid, "stat"), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// A rateTest measures one limit.
type rateTest struct {
	name     string
	defaults string // of [defaults], with the direction left out
	limits   string
	want     float64 // bytes in a second, of all sessions
	users    []int   // how many sessions each has
}

// TestRates checks that each limit holds, in each direction, plain and over TLS, for one transfer and for
// several that share it. With FTPD_TEST_RATES it also checks that the transfers use the rate, that no
// second passes without a byte, and that the core needs little CPU time.
func TestRates(t *testing.T) {
	needRoot(t)
	for _, test := range []rateTest{
		{"session", "session_%s_rate = \"2MiB\"\n", "", 2 << 20, []int{1}},
		{"slow session", "session_%s_rate = \"30KiB\"\n", "", 30 << 10, []int{1}},
		{"user", "user_%s_rate = \"2MB\"\n", "", 2e6, []int{2}},
		{"server", "user_%s_rate = \"18MB\"\n", "%s_rate = \"20MB\"\n", 20e6, []int{2, 1}},
	} {
		for _, way := range []string{"download", "upload"} {
			for _, security := range []string{"plain", "TLS"} {
				t.Run(test.name+"/"+way+"/"+security,
					func(t *testing.T) { test.run(t, way, security == "TLS") })
			}
		}
	}
}

func (test rateTest) run(t *testing.T, way string, secure bool) {
	length, exact := measuring(t)
	add := settings{"defaults": fmt.Sprintf(test.defaults, way)}
	if test.limits != "" {
		add["limits"] = fmt.Sprintf(test.limits, way)
	}
	var cfg *tls.Config
	if secure {
		a := newAuthority(t)
		a.issue(t, "ftp.example.org", "ecdsa")
		add["end"], cfg = a.section("ftp.example.org"), a.client("ftp.example.org")
	}
	s := serve(t, add)
	began := time.Now()
	var streams []stream
	for _, sessions := range test.users {
		u := newAccount(t)
		sparse := u.file(t, "big", "", u.uid, u.gid, 0o600)
		if err := os.Truncate(sparse, 1<<40); err != nil {
			t.Fatal(err)
		}
		for i := range sessions {
			streams = append(streams, startStream(t, s.addr, cfg, u, way, i))
		}
	}
	core := s.core(t)
	before := cpuTime(core)
	rate, pause := measure(length, streams...)
	used := cpuTime(core) - before
	t.Logf("%.0f bytes in a second, %+.2f %%, longest pause %v, %v of CPU in %v", rate,
		100*(rate/test.want-1), pause, used, length)
	test.notExceeded(t, began, streams)
	if exact && (rate < test.want*0.95 || rate > test.want*1.05) {
		t.Errorf("%.0f bytes in a second, not %.0f", rate, test.want)
	}
	if exact && pause >= time.Second {
		t.Errorf("no byte for %v", pause)
	}
	if exact && used > length/5 {
		t.Errorf("%v of CPU in %v", used, length)
	}
	for _, s := range streams { // this order: the upload is not complete
		s.control.Close()
		s.data.Close()
	}
}

// notExceeded waits until the transfers have moved the bytes of a second, and checks that these are not
// more than the limit allows since the begin: a tenth of a second may be earned ahead, and each transfer
// moves one piece before it waits. This holds however busy the machine is.
func (test rateTest) notExceeded(t *testing.T, began time.Time, streams []stream) {
	t.Helper()
	var moved float64
	eventually(t, "the transfers move", func() bool {
		moved = float64(total(streams))
		return moved >= test.want
	})
	allowed := test.want * (time.Since(began).Seconds() + 0.1)
	allowed += float64(len(streams)) * min(64<<10, test.want/10)
	if moved > allowed {
		t.Errorf("%.0f bytes have moved, the limit allows %.0f", moved, allowed)
	}
}

// startStream logs in and begins a transfer that does not end.
func startStream(t *testing.T, addr string, cfg *tls.Config, u account, way string, i int) stream {
	t.Helper()
	c := (*client)(nil)
	if cfg != nil {
		c, _ = secureLogin(t, addr, cfg, u.name, u.password)
	} else {
		c = login(t, addr, u.name, u.password)
	}
	if way == "download" {
		return c.stream(t, "RETR big", "")
	}
	name := fmt.Sprintf("up%d", i)
	return c.stream(t, "STOR "+name, filepath.Join(u.home, name))
}

// TestThrottledTransferIsSeenAndEnded checks that a transfer that waits for its rate is shown to
// the administrator, and ends by a kick.
func TestThrottledTransferIsSeenAndEnded(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	port := freePort(t)
	config := writeConfig(t, port,
		settings{"defaults": "session_upload_rate = 1000\nuser_upload_rate = 1\n"})
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)
	c := login(t, s.addr, u.name, u.password)
	up := c.stream(t, "STOR up", filepath.Join(u.home, "up"))
	eventually(t, "a second byte has moved", func() bool { return up.moved() > 1 })
	r := who(t, config)
	if len(r.Sessions) != 1 || r.Sessions[0].Transfer == nil || r.Sessions[0].Transfer.Rate <= 0 ||
		r.Sessions[0].Transfer.Rate > 3 {
		t.Errorf("sessions %+v", r.Sessions)
	}
	began := time.Now()
	command(t, "", filepath.Join(bin, "ftpd"), "kick", "--config", config, u.name)
	if r, err := c.reply(); err != nil || r.code != 421 {
		t.Errorf("%v, %v", r, err)
	}
	t.Logf("the client reads 421 after %v", time.Since(began))
}
