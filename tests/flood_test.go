//go:build linux

package tests

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// floods returns how long floods last and how often they come: 3 seconds and once, or
// FTPD_TEST_FLOOD, such as "30s", and three times.
func floods(t *testing.T) (length time.Duration, times int) {
	t.Helper()
	text := os.Getenv("FTPD_TEST_FLOOD")
	if text == "" {
		return 3 * time.Second, 1
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d, 3
}

// TestFloodOfGuesses checks that guesses from one address or from many, none of them banned,
// leave turns for logins with the right password.
func TestFloodOfGuesses(t *testing.T) {
	needRoot(t)
	const connections, logins = 50, 20
	length, _ := floods(t)
	u := newAccount(t)
	u.hashAsUsual(t)
	for _, addresses := range []int{1, connections} {
		t.Run(fmt.Sprintf("from %d addresses", addresses), func(t *testing.T) {
			s := serve(t, settings{"end": "[ban]\nfailures = 0\naddress_failures = 0\n"})
			ctx, cancel := context.WithTimeout(t.Context(), length)
			defer cancel()
			var guesses atomic.Int64
			var flood sync.WaitGroup
			for i := range connections {
				from := fmt.Sprintf("127.1.0.%d", i%addresses+1)
				flood.Go(func() { // ends with its time
					for ctx.Err() == nil {
						guesses.Add(guess(ctx, s.addr, from, u.name))
					}
				})
			}
			s.log.wait(t, "the flood", message("login_failed"))
			var took []time.Duration
			for range logins {
				took = append(took, loginTime(t, s.addr, "127.0.0.1", u))
			}
			report(t, "logins", took)
			flood.Wait()
			t.Logf("%d guesses", guesses.Load())
		})
	}
}

// TestFloodOfAddresses checks that guesses from more addresses than logins may wait shut out none: a
// right password is accepted at once from an address that has logged in before, and in the end
// from others. No guessing address is banned. The long form checks passwords with PAM, and the time.
func TestFloodOfAddresses(t *testing.T) {
	needRoot(t)
	const guessing, logins = 600, 20
	u := newAccount(t)
	add := settings{
		"auth": "failure_delay = \"0s\"\n",
		"end":  "[ban]\nfailures = 0\naddress_failures = 0\n",
	}
	_, times := floods(t)
	if times > 1 {
		u.hashAsUsual(t)
	} else { // a check takes some milliseconds
		changeAccounts(t, u.name+":"+u.password+"\n",
			"chpasswd", "--crypt-method", "SHA256", "--sha-rounds", "10000")
		add["end"] += fmt.Sprintf("[[user]]\nname = %q\npassword = %q\nhome = %q\nrun_as = %q\n",
			u.name, u.shadowHash(t), u.home, u.name)
	}
	s := serve(t, add)
	known := func(i int) string { return fmt.Sprintf("127.%d.250.1", 1+i) }
	for i := range logins {
		loginTime(t, s.addr, known(i), u)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	for i := range guessing { // from as many networks as the loopback has
		from := fmt.Sprintf("127.%d.%d.1", 1+i%250, i/250)
		flood.Go(func() { // ends with the test
			for ctx.Err() == nil {
				guess(ctx, s.addr, from, u.name)
			}
		})
	}
	defer flood.Wait()
	defer cancel()
	s.log.wait(t, "a full queue",
		func(r record) bool { return r.Message == "login_failed" && r.Reply == 421 })

	var took []time.Duration
	for i := range logins {
		took = append(took, loginTime(t, s.addr, known(i), u))
	}
	report(t, "logins from addresses that have logged in before", took)
	if last := took[logins-1]; times > 1 && last > 3*time.Second {
		t.Errorf("one of them took %v", last)
	}
	var fresh sync.WaitGroup
	took = make([]time.Duration, logins)
	for i := range logins {
		fresh.Go(func() { // ends with the login
			begun := time.Now()
			for !loggedInOrBusy(t, s.addr, fmt.Sprintf("127.%d.251.1", 1+i), u) {
			}
			took[i] = time.Since(begun)
		})
	}
	fresh.Wait()
	report(t, "logins from new addresses", took)
}

// loggedInOrBusy tries to log in once. It returns false for 421, and fails the test for any other
// reply than 230.
func loggedInOrBusy(t *testing.T, addr, from string, u account) bool {
	c, err := dialFrom(addr, from)
	if err != nil {
		t.Error(err)
		return true
	}
	defer c.conn.Close()
	c.do("USER " + u.name)
	r, err := c.do("PASS " + u.password)
	if err != nil || r.code != 230 && r.code != 421 {
		t.Errorf("a right password from %s: %v, %v", from, r, err)
	}
	return r.code != 421
}

// guess tries wrong passwords on one connection until that is closed or ctx ends.
func guess(ctx context.Context, addr, from, user string) (n int64) {
	c, err := dialFrom(addr, from)
	if err != nil {
		return 0
	}
	defer c.conn.Close()
	defer context.AfterFunc(ctx, func() { c.conn.Close() })()
	for {
		c.do("USER " + user)
		if _, err := c.do("PASS guessed"); err != nil {
			return n
		}
		n++
	}
}

// TestFloodOfConnections checks that connections beyond the limit of their address hold up no
// other address, and that their memory is returned.
func TestFloodOfConnections(t *testing.T) {
	needRoot(t)
	const connections, logins = 5000, 100
	_, times := floods(t)
	u := newAccount(t)
	u.hashAsUsual(t)
	s := serve(t, nil)
	core := s.core(t)
	loginTime(t, s.addr, "127.0.0.1", u)
	before := resident(core)
	for range times {
		var flood sync.WaitGroup
		var refused atomic.Int64
		gate := make(chan struct{}, 200) // dialled at one time
		flood.Go(func() {
			for range connections {
				gate <- struct{}{}
				flood.Go(func() { // ends with the server's patience
					defer func() { <-gate }()
					refused.Add(refusedConnection(s.addr, "127.2.0.1"))
				})
			}
		})
		var took []time.Duration
		for range logins {
			took = append(took, loginTime(t, s.addr, "127.0.0.1", u))
		}
		flood.Wait()
		report(t, fmt.Sprintf("logins beside %d connections, of which %d were refused,",
			connections, refused.Load()), took)
	}
	const mayStay = 8 << 20
	eventually(t, "the memory is back", func() bool { return resident(core) < before+mayStay })
	t.Logf("the core has %d KiB, before %d KiB", resident(core)>>10, before>>10)
}

// TestFloodOfRefusals checks that refused connections do not flood the log, that their number is in
// it, and that it has a login in between. FTPD_TEST_FLOOD=10m is the length for which the log must
// stay below a megabyte.
func TestFloodOfRefusals(t *testing.T) {
	needRoot(t)
	const connections, addresses, logins = 3000, 100, 3
	length, times := floods(t)
	u := newAccount(t)
	s := serve(t, settings{"limits": "max_sessions_per_ip = 1\nlogin_timeout = \"0s\"\n"})
	var from []string
	for i := range addresses {
		from = append(from, fmt.Sprintf("127.5.%d.1", i))
		c, err := dialFrom(s.addr, from[i])
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
	}
	var flood sync.WaitGroup
	var dialled, refused atomic.Int64
	end := time.Now().Add(length)
	for range 50 {
		flood.Go(func() { // ends with its number or time
			for n := dialled.Add(1); n <= connections || times > 1 && time.Now().Before(end); {
				refused.Add(refusedConnection(s.addr, from[n%addresses]))
				n = dialled.Add(1)
			}
		})
	}
	s.log.wait(t, "the flood", message("refused"))
	for i := range logins {
		loginTime(t, s.addr, fmt.Sprintf("127.0.0.%d", i+1), u)
	}
	flood.Wait()
	s.stop(t) // writes the last counts
	counted, bytes := int64(0), 0
	s.log.find(func(r record) bool {
		bytes += len(r.Text) + 1
		switch {
		case r.Message == "refused":
			counted++
		case r.Message == "repeated" && r.Of == "refused":
			counted += int64(r.Count)
		}
		return false
	})
	t.Logf("%d refused connections wrote %d bytes", refused.Load(), bytes)
	if counted != refused.Load() || counted < connections {
		t.Errorf("the log has %d of %d refused connections", counted, refused.Load())
	}
	if found, _ := s.log.find(message("login")); len(found) != logins {
		t.Errorf("the log has %d of %d logins", len(found), logins)
	}
	if bytes > 1_000_000 || times == 1 && bytes > 100_000 {
		t.Errorf("the log has %d bytes", bytes)
	}
}

// TestFloodOfSilentConnections checks that silent connections, more than there are sessions, do not
// keep users from logging in. With FTPD_TEST_FLOOD, each connection comes again some seconds after
// another has taken its place, and 99 of 100 logins must take less than a second.
func TestFloodOfSilentConnections(t *testing.T) {
	needRoot(t)
	const addresses = 100
	connections, logins := 1500, 20 // more than limits.max_sessions
	length, times := floods(t)
	if times > 1 {
		connections, logins = 5000, 100
	}
	u := newAccount(t)
	u.hashAsUsual(t)
	s := serve(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var flood sync.WaitGroup
	var opened atomic.Int64
	for i := range connections {
		from := fmt.Sprintf("127.3.%d.1", i%addresses)
		flood.Go(func() { // ends when the flood is stopped
			for again := true; again; {
				opened.Add(silentConnection(ctx, s.addr, from))
				again = times > 1 && !cancelled(ctx, 5*time.Second)
			}
		})
	}
	displaced := s.log.wait(t, "a displaced connection", message("displaced"))
	if displaced.Reply != 421 || !strings.HasPrefix(displaced.Remote, "127.3.") ||
		!strings.Contains(displaced.Cause, `limits.max_unauthenticated = "auto" (`) {
		t.Errorf("the log has %s", displaced.Text)
	}
	var took []time.Duration
	for end := time.Now().Add(length); len(took) < logins || times > 1 && time.Now().Before(end); {
		took = append(took, loginTime(t, s.addr, "127.0.0.1", u))
	}
	stop()
	flood.Wait()
	report(t, fmt.Sprintf("logins beside %d silent connections", opened.Load()), took)
	if late := took[(len(took)*99+99)/100-1]; times > 1 && late > time.Second {
		t.Errorf("the 99th percentile is %v", late)
	}
}

// cancelled waits for d, and reports whether ctx ends before.
func cancelled(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return true
	case <-time.After(d):
		return false
	}
}

// silentConnection holds a connection until the server closes it or ctx ends. It returns 1 for a
// connection that was greeted.
func silentConnection(ctx context.Context, addr, from string) int64 {
	conn, err := dialLocal(addr, from)
	if err != nil {
		return 0
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	text, _ := io.ReadAll(conn)
	if strings.HasPrefix(string(text), "220") {
		return 1
	}
	return 0
}

// refusedConnection returns 1 for a client that gets 421.
func refusedConnection(addr, from string) int64 {
	conn, err := dialLocal(addr, from)
	if err != nil {
		return 0
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(patience))
	text, _ := io.ReadAll(io.LimitReader(conn, 3))
	if string(text) == "421" {
		return 1
	}
	io.Copy(io.Discard, conn) // it holds its slot until the server closes it
	return 0
}

func dialLocal(addr, from string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	return d.Dial("tcp", addr)
}

func dialFrom(addr, from string) (*client, error) {
	conn, err := dialLocal(addr, from)
	if err != nil {
		return nil, err
	}
	c := newClient(conn)
	if r, err := c.reply(); err != nil || r.code != 220 {
		conn.Close()
		return nil, fmt.Errorf("greeted with %v, %w", r, err)
	}
	return c, nil
}

// loginTime returns how long it takes to connect and log in.
func loginTime(t *testing.T, addr, from string, u account) time.Duration {
	t.Helper()
	begun := time.Now()
	c, err := dialFrom(addr, from)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.expect(t, 331, "USER "+u.name)
	c.expect(t, 230, "PASS "+u.password)
	return time.Since(begun)
}

// report logs the 50th and the 99th percentile, and the longest.
func report(t *testing.T, what string, took []time.Duration) {
	t.Helper()
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1].Round(time.Millisecond) }
	t.Logf("%s took %v (median), %v (99th percentile), %v at most", what, at(50), at(99), at(100))
}
