package monitor

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/impersonate"
)

// A fake is a supervisor that admits everybody and knows one user.
type fake struct {
	mu     sync.Mutex
	events []events.Event
	ended  []string
	last   int
	logins int
	wanted map[int]chan struct{} // closed when so many logins were asked for

	hold     chan struct{} // a login waits for it, if there is one
	admit    chan struct{} // likewise an admission, twice: when it has come, and before it is answered
	gaveBack chan string   // takes each session that ended, if there is one
	groups   []uint32      // of the user
	label    string        // is added to each name
	key      crypto.Signer // signs; nil: nothing is signed
}

// asked is closed when n logins were asked for.
func (f *fake) asked(n int) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := make(chan struct{})
	if f.logins >= n {
		close(done)
		return done
	}
	f.wanted = map[int]chan struct{}{n: done}
	return done
}

func (f *fake) Admit(context.Context, Connection) (Admission, error) {
	if f.admit != nil {
		<-f.admit
		<-f.admit
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	return Admission{Session: fmt.Sprintf("s%d", f.last)}, nil
}

func (f *fake) Authenticate(ctx context.Context, _ string, c auth.Credentials) (*auth.Account, error) {
	f.mu.Lock()
	f.logins++
	if done, ok := f.wanted[f.logins]; ok {
		close(done)
	}
	f.mu.Unlock()
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if c.User != "al\xffice" || c.Password != "\xe4\x00" {
		return nil, &auth.Refusal{Cause: "a cause that stays here"}
	}
	return &auth.Account{Name: "alice", Home: "/home/alice", As: &impersonate.Credentials{UID: 1000, GID: 1000, Groups: f.groups}}, nil
}

func (f *fake) Names(_ context.Context, uids, gids []uint32) (Names, error) {
	return Names{Users: map[uint32]string{uids[0]: "alice" + f.label}, Groups: map[uint32]string{gids[0]: "staff"}}, nil
}

func (f *fake) Group(_ context.Context, name string) (uint32, bool, error) {
	if name == "down" {
		return 0, false, errors.New("a cause that stays here")
	}
	return 50, name == "st\xffff", nil
}

// Sign signs with what it was asked for.
func (f *fake) Sign(_ context.Context, h Handshake) ([]byte, error) {
	if f.key == nil {
		return nil, errors.New("there is no such certificate")
	}
	return h.Sign(f.key)
}

// ActiveSocket hands out a pipe that tells the address; there is nothing at "::1".
func (f *fake) ActiveSocket(_ context.Context, session string, local netip.Addr) (*os.File, error) {
	if local == netip.IPv6Loopback() {
		return nil, errors.New("somebody listens there")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	_, err = io.WriteString(w, session+" "+local.String())
	return r, err
}

func (f *fake) End(session string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, session)
	if f.gaveBack != nil {
		f.gaveBack <- session
	}
}

func (f *fake) Emit(e events.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

func pair(t *testing.T) (ours *net.UnixConn, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return connOf(t, fds[0]), fds[1]
}

func connOf(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	f := os.NewFile(uintptr(fd), "test")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

// start runs both ends; the outcome of the supervisor's end arrives in the channel.
func start(t *testing.T, f *fake) (*Client, chan error) {
	t.Helper()
	conn, fd := pair(t)
	server := NewServer(conn, f, 3)
	cfg := &config.Config{}
	cfg.Server.Banner = "hello"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := server.Configure(Setup{Config: cfg}, []int{int(file.Fd())}); err != nil {
		t.Fatal(err)
	}
	client, setup, listeners, err := Connect(uintptr(fd))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.conn.Close() })
	if setup.Config.Server.Banner != "hello" || len(listeners) != 1 || listeners[0].Addr().String() != l.Addr().String() {
		t.Fatalf("setup = %+v with listeners %v", setup.Config.Server, listeners)
	}
	listeners[0].Close()
	ended := make(chan error, 1)
	up := make(chan struct{})
	go func() { // ends when the client's connection is closed
		_, err := server.Run(func() { close(up) })
		ended <- err
	}()
	go client.Run(Orders{}) // likewise
	if err := client.Ready(); err != nil {
		t.Fatal(err)
	}
	<-up
	return client, ended
}

// connected are both ends, neither of which runs.
func connected(t *testing.T) (*Server, *Client) {
	t.Helper()
	conn, fd := pair(t)
	server := NewServer(conn, new(fake), 3)
	if err := server.Configure(Setup{Config: &config.Config{}}, nil); err != nil {
		t.Fatal(err)
	}
	client, _, _, err := Connect(uintptr(fd))
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}

func TestRequests(t *testing.T) {
	f := new(fake)
	c, ended := start(t, f)
	ctx := t.Context()
	a, err := c.Admit(ctx, Connection{Remote: netip.MustParseAddrPort("192.0.2.1:1")})
	if err != nil || a.Session != "s1" {
		t.Fatalf("Admit = %+v, %v", a, err)
	}
	account, err := c.Authenticate(ctx, "s1", auth.Credentials{User: "al\xffice", Password: "\xe4\x00"}) // bytes, no text
	if err != nil || account.Name != "alice" || account.As.UID != 1000 {
		t.Fatalf("Authenticate = %+v, %v", account, err)
	}
	_, err = c.Authenticate(ctx, "s1", auth.Credentials{User: "alice", Password: "x"})
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) || strings.Contains(err.Error(), "stays here") {
		t.Errorf("a wrong password: %v", err)
	}
	n, err := c.Names(ctx, []uint32{1000}, []uint32{50})
	if err != nil || n.Users[1000] != "alice" || n.Groups[50] != "staff" {
		t.Errorf("Names = %+v, %v", n, err)
	}
	if gid, found, err := c.Group(ctx, "st\xffff"); gid != 50 || !found || err != nil {
		t.Errorf("Group = %d, %v, %v", gid, found, err)
	}
	for _, name := range []string{"", "none", strings.Repeat("\xff", MaxGroupName), strings.Repeat("x", MaxGroupName+1)} {
		if gid, found, err := c.Group(ctx, name); gid != 0 || found || err != nil {
			t.Errorf("Group(%.10q) = %d, %v, %v", name, gid, found, err)
		}
	}
	if _, found, err := c.Group(ctx, "down"); found || err == nil || strings.Contains(err.Error(), "stays here") {
		t.Errorf("a name service that is down: %v, %v", found, err)
	}
	c.Emit(events.Event{Kind: events.Upload, Session: "s1", Path: "/\xff\n", Cause: strings.Repeat("x", 1<<20)})
	c.End("s1")
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Fatalf("an orderly core: %v", err)
	}
	if len(f.events) != 1 || f.events[0].Path != "/\xff\n" || len(f.events[0].Cause) != maxText {
		t.Errorf("events = %.200v", f.events)
	}
	if len(f.ended) != 1 {
		t.Errorf("ended = %v", f.ended)
	}
}

// What a core leaves behind is given back.
func TestDeathGivesSlotsBack(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c, ended := start(t, f)
	for range 3 {
		if _, err := c.Admit(t.Context(), Connection{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.send(authenticate, 99, authenticateBody{Session: "s1"}); err != nil { // under way meanwhile
		t.Fatal(err)
	}
	c.End("s2")
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if len(f.ended) != 3 {
		t.Errorf("ended = %v, want each of 3 once", f.ended)
	}
}

// More requests than may be under way wait in the client, whose callers may leave.
func TestClientKeepsBounds(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c, ended := start(t, f)
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("the client left")
	cancel(left)
	if _, err := c.Authenticate(ctx, a.Session, auth.Credentials{}); !errors.Is(err, left) {
		t.Errorf("a caller that left: %v", err)
	}
	close(f.hold)
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// Each of these messages is impossible, and ends the core that sent it.
func TestHostileCore(t *testing.T) {
	body := func(v any) json.RawMessage {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	packet := func(m message) []byte { return body(m) }
	for name, test := range map[string]struct {
		packets [][]byte
		want    string
	}{
		"no JSON":             {[][]byte{[]byte("\x00\xff")}, "not JSON"},
		"too long":            {[][]byte{bytes.Repeat([]byte("x"), maxMessage+1)}, "over the bound"},
		"unknown":             {[][]byte{packet(message{Kind: "shell"})}, "no request"},
		"ours":                {[][]byte{packet(message{Kind: drain})}, "no request"},
		"ready twice":         {[][]byte{packet(message{Kind: ready})}, "wrong time"},
		"body too long":       {[][]byte{packet(message{Kind: admit, Body: body(strings.Repeat("x", 3000))})}, "over the bound of 2048"},
		"malformed":           {[][]byte{packet(message{Kind: admit, Body: body("x")})}, "malformed admit"},
		"no such session":     {[][]byte{packet(message{Kind: end, Body: body(endBody{Session: "s9"})})}, "does not have"},
		"event of a stranger": {[][]byte{packet(message{Kind: event, Body: body(packEvent(events.Event{Kind: events.Upload}))})}, "does not have"},
		"login of a stranger": {[][]byte{packet(message{Kind: authenticate, ID: 1, Body: body(authenticateBody{Session: "s9"})})},
			"does not have"},
		"event of no kind":    {[][]byte{packet(message{Kind: event, Body: body(packEvent(events.Event{Kind: "root", Session: "s1"}))})}, "of the kind"},
		"signature of a text": {[][]byte{packet(message{Kind: sign, Body: body(Handshake{Message: []byte("a letter of credit")})})}, "no TLS handshake"},
		"signature too long":  {[][]byte{packet(message{Kind: sign, Body: body(Handshake{Message: make([]byte, 1<<10)})})}, "over the bound of 1024"},
		"too many names": {[][]byte{packet(message{Kind: names, Body: body(namesBody{Users: make([]uint32, MaxNames+1)})})},
			"513 names"},
		"long name of a group": {[][]byte{packet(message{Kind: group, Body: body(groupBody{Name: make([]byte, MaxGroupName+1)})})},
			"257 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{hold: make(chan struct{})}
			c, ended := start(t, f)
			if _, err := c.Admit(t.Context(), Connection{}); err != nil {
				t.Fatal(err)
			}
			for _, p := range test.packets {
				if _, err := c.conn.Write(p); err != nil {
					t.Fatal(err)
				}
			}
			if err := <-ended; err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
		})
	}
}

// A session may fail as many logins as the configuration says; the backend is not asked for more, nor for two at once.
func TestGuesses(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c, ended := start(t, f)
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	guess := func() error {
		_, err := c.Authenticate(t.Context(), a.Session, auth.Credentials{User: "alice"})
		return err
	}
	first := make(chan error, 1)
	go func() { first <- guess() }() // ends when the backend is let go
	<-f.asked(1)
	var refusal *auth.Refusal
	if err := guess(); !errors.As(err, &refusal) {
		t.Errorf("a second guess at the same time: %v", err)
	}
	close(f.hold)
	if err := <-first; !errors.As(err, &refusal) {
		t.Errorf("the first guess: %v", err)
	}
	for range 4 {
		if err := guess(); !errors.As(err, &refusal) {
			t.Errorf("a guess: %v", err)
		}
	}
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("guesses ended the core: %v", err)
	}
	if f.logins != 3 {
		t.Errorf("the backend was asked %d times, want 3", f.logins)
	}
}

// Name and password may be as long as a command line carries them, whatever their bytes.
func TestLongCredentials(t *testing.T) {
	c, _ := start(t, new(fake))
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("\xff", 2048)
	var refusal *auth.Refusal
	if _, err := c.Authenticate(t.Context(), a.Session, auth.Credentials{User: long, Password: auth.Password(long)}); !errors.As(err, &refusal) {
		t.Errorf("a login of two long lines: %v", err)
	}
}

// An answer over its bound costs this one request, not the core.
func TestAnswersOverTheBound(t *testing.T) {
	f := &fake{groups: make([]uint32, 60_000), label: strings.Repeat("g", maxAnswer)}
	c, _ := start(t, f)
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Authenticate(t.Context(), a.Session, auth.Credentials{User: "al\xffice", Password: "\xe4\x00"}); err == nil {
		t.Error("an account with 60,000 groups came through")
	}
	f.mu.Lock()
	if len(f.events) != 1 || f.events[0].Kind != events.LoginFailed || !strings.Contains(f.events[0].Cause, "too many groups") {
		t.Errorf("events = %+v", f.events)
	}
	f.mu.Unlock()
	if n, err := c.Names(t.Context(), []uint32{1}, []uint32{2}); err != nil || len(n.Users)+len(n.Groups) != 0 {
		t.Errorf("Names = %.100v, %v; want none", n, err)
	}
	if _, err := c.Admit(t.Context(), Connection{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A session that is admitted when nobody waits for it any more gives its slot back.
func TestAdmittedTooLate(t *testing.T) {
	f := &fake{admit: make(chan struct{}), gaveBack: make(chan string, 1)}
	c, _ := start(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	late := make(chan error, 1)
	go func() { // ends with ctx
		_, err := c.Admit(ctx, Connection{})
		late <- err
	}()
	f.admit <- struct{}{} // the supervisor has the request
	cancel()
	if err := <-late; !errors.Is(err, context.Canceled) {
		t.Fatalf("Admit = %v", err)
	}
	f.admit <- struct{}{}
	if id := <-f.gaveBack; id != "s1" {
		t.Errorf("given back: %q", id)
	}
}

// Descriptors that a core sends are dropped by the kernel, and end it.
func TestDescriptorsFromCore(t *testing.T) {
	c, ended := start(t, new(fake))
	packet, err := encode(end, 0, endBody{Session: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.conn.WriteMsgUnix(packet, unix.UnixRights(0), nil); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("a descriptor was taken")
	}
}

// The supervisor's word to stop reaches the core, and the core learns when the supervisor is gone.
func TestDrainAndHangUp(t *testing.T) {
	server, client := connected(t)
	asked, retired := make(chan time.Duration, 1), make(chan bool, 1)
	ended := make(chan error, 1)
	go func() { // ends with the connection
		ended <- client.Run(Orders{Drain: func(d time.Duration) { asked <- d }, Retire: func() { retired <- true }})
	}()
	if err := server.Retire(); err != nil {
		t.Fatal(err)
	}
	<-retired
	if err := server.Drain(time.Minute); err != nil {
		t.Fatal(err)
	}
	if d := <-asked; d != time.Minute {
		t.Errorf("drain = %v", d)
	}
	server.conn.Close()
	if err := <-ended; !errors.Is(err, ErrHungUp) {
		t.Errorf("after the supervisor hung up: %v", err)
	}
}
