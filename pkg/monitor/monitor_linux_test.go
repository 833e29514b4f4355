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

// A fake is a supervisor that admits all connections and has one user. The zero value is ready.
type fake struct {
	mu      sync.Mutex
	events  []events.Event
	ended   []string
	last    int
	logins  int
	reached map[int]chan struct{} // closed at this number of logins

	// If they are not nil, Authenticate waits for hold, Admit receives twice from admit (at its
	// begin and before it returns), and End sends the session to released.
	hold     chan struct{}
	admit    chan struct{}
	released chan string

	groups []uint32      // of the user
	suffix string        // of each name
	key    crypto.Signer // for Sign, which fails without it
}

// loginsReached returns a channel that is closed after n calls of Authenticate.
func (f *fake) loginsReached(n int) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := make(chan struct{})
	if f.logins >= n {
		close(done)
		return done
	}
	f.reached = map[int]chan struct{}{n: done}
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

func (f *fake) Authenticate(
	ctx context.Context, _ string, c auth.Credentials,
) (*auth.Account, error) {
	f.mu.Lock()
	f.logins++
	if done, ok := f.reached[f.logins]; ok {
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
	if c.User != "al\xffice" || string(c.Password) != "\xe4\x00" {
		return nil, &auth.Refusal{Cause: "a secret cause"}
	}
	as := &impersonate.Credentials{UID: 1000, GID: 1000, Groups: f.groups}
	return &auth.Account{Name: "alice", Home: "/home/alice", As: as}, nil
}

func (f *fake) Names(_ context.Context, uids, gids []uint32) (Names, error) {
	return Names{
		Users:  map[uint32]string{uids[0]: "alice" + f.suffix},
		Groups: map[uint32]string{gids[0]: "staff"},
	}, nil
}

func (f *fake) Group(_ context.Context, name string) (uint32, bool, error) {
	if name == "down" {
		return 0, false, errors.New("a secret cause")
	}
	return 50, name == "st\xffff", nil
}

func (f *fake) Sign(_ context.Context, h Handshake) ([]byte, error) {
	if f.key == nil {
		return nil, errors.New("there is no such certificate")
	}
	return h.Sign(f.key)
}

// ActiveSocket returns a pipe that contains the session and the address. From ::1 it fails.
func (f *fake) ActiveSocket(
	_ context.Context, session string, way ActiveWay,
) (*os.File, error) {
	if way.From == netip.IPv6Loopback() {
		return nil, errors.New("address in use")
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	_, err = io.WriteString(w, session+" "+way.From.String()+" "+way.To.String())
	return r, err
}

func (f *fake) End(session string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, session)
	if f.released != nil {
		f.released <- session
	}
}

func (f *fake) Emit(e events.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// pair returns both ends of a connection: ours of the supervisor, and the descriptor of the
// core.
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

// start runs both ends. The channel receives the result of the supervisor's end.
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
	if err := server.Configure(Setup{Config: cfg, Roots: cfg.Roots()}, []int{int(file.Fd())}); err != nil {
		t.Fatal(err)
	}
	client, setup, listeners, err := Connect(uintptr(fd))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.conn.Close() })
	if setup.Config.Server.Banner != "hello" || len(listeners) != 1 ||
		listeners[0].Addr().String() != l.Addr().String() {
		t.Fatalf("setup = %+v with listeners %v", setup.Config.Server, listeners)
	}
	listeners[0].Close()
	ended := make(chan error, 1)
	up := make(chan struct{})
	go func() { // ends when the client's connection is closed
		_, err := server.Run(func() { close(up) })
		ended <- err
	}()
	go client.Run(Orders{}) // ends when the connection is closed
	if err := client.Ready(); err != nil {
		t.Fatal(err)
	}
	<-up
	return client, ended
}

// connected returns both ends of a connection, without running them.
func connected(t *testing.T) (*Server, *Client) {
	t.Helper()
	conn, fd := pair(t)
	server := NewServer(conn, new(fake), 3)
	setup := Setup{Config: &config.Config{}, Roots: []string{"/home"}}
	if err := server.Configure(setup, nil); err != nil {
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
	bytesNotText := auth.Credentials{User: "al\xffice", Password: auth.Password("\xe4\x00")}
	account, err := c.Authenticate(ctx, "s1", bytesNotText)
	if err != nil || account.Name != "alice" || account.As.UID != 1000 {
		t.Fatalf("Authenticate = %+v, %v", account, err)
	}
	_, err = c.Authenticate(ctx, "s1", auth.Credentials{User: "alice", Password: auth.Password("x")})
	var refusal *auth.Refusal
	if !errors.As(err, &refusal) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a wrong password: %v", err)
	}
	n, err := c.Names(ctx, []uint32{1000}, []uint32{50})
	if err != nil || n.Users[1000] != "alice" || n.Groups[50] != "staff" {
		t.Errorf("Names = %+v, %v", n, err)
	}
	if gid, found, err := c.Group(ctx, "st\xffff"); gid != 50 || !found || err != nil {
		t.Errorf("Group = %d, %v, %v", gid, found, err)
	}
	for _, name := range []string{
		"", "none", strings.Repeat("\xff", MaxGroupName), strings.Repeat("x", MaxGroupName+1),
	} {
		if gid, found, err := c.Group(ctx, name); gid != 0 || found || err != nil {
			t.Errorf("Group(%.10q) = %d, %v, %v", name, gid, found, err)
		}
	}
	_, found, err := c.Group(ctx, "down")
	if found || err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a name service that is down: %v, %v", found, err)
	}
	c.Emit(events.Event{Kind: events.Login, Session: "s1"})
	long := strings.Repeat("x", 1<<20)
	c.Emit(events.Event{Kind: events.Upload, Session: "s1", Path: "/\xff\n", Cause: long})
	c.End("s1")
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Fatalf("an orderly core: %v", err)
	}
	if len(f.events) != 2 || f.events[1].Path != "/\xff\n" || len(f.events[1].Cause) != maxText {
		t.Errorf("events = %.200v", f.events)
	}
	if len(f.ended) != 1 {
		t.Errorf("ended = %v", f.ended)
	}
}

// The sessions that a core leaves behind are ended, which releases their slots.
func TestDeathReleasesSlots(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c, ended := start(t, f)
	for range 3 {
		if _, err := c.Admit(t.Context(), Connection{}); err != nil {
			t.Fatal(err)
		}
	}
	// This login is still running when the core dies.
	if err := c.send(authenticate, 99, authenticateBody{Session: "s1"}); err != nil {
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

// A request returns when its context ends, with the cause of the end.
func TestCancelledRequest(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	c, ended := start(t, f)
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the client has disconnected")
	cancel(cause)
	if _, err := c.Authenticate(ctx, a.Session, auth.Credentials{}); !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
	close(f.hold)
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// Each of these packets breaks a rule and ends the core.
func TestHostileCore(t *testing.T) {
	marshal := func(v any) json.RawMessage {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	packet := func(k kind, body any) []byte {
		return marshal(message{Kind: k, ID: 1, Body: marshal(body)})
	}
	for name, test := range map[string]struct {
		packet []byte
		want   string
	}{
		"no JSON":     {[]byte("\x00\xff"), "not JSON"},
		"too long":    {bytes.Repeat([]byte("x"), maxMessage+1), "over the bound"},
		"unknown":     {packet("shell", nil), "not in the table"},
		"an order":    {packet(drain, nil), "not in the table"},
		"ready twice": {packet(ready, 0), "wrong time"},
		"closed":      {packet(closed, 0), "without an order"},
		"pong":        {packet(pong, 0), "was not sent"},
		"body too long": {
			packet(admit, strings.Repeat("x", 3000)), "over the bound of 2048",
		},
		"malformed":       {packet(admit, "x"), "malformed admit"},
		"unknown session": {packet(end, endBody{Session: "s9"}), "does not have"},
		"event of an unknown session": {
			packet(event, packEvent(events.Event{Kind: events.Upload})), "does not have",
		},
		"login of an unknown session": {
			packet(authenticate, authenticateBody{Session: "s9"}), "does not have",
		},
		"unknown event": {
			packet(event, packEvent(events.Event{Kind: "root", Session: "s1"})), "of the kind",
		},
		"signature of a text": {
			packet(sign, Handshake{Message: []byte("a letter of credit")}), "no TLS handshake",
		},
		"signature too long": {
			packet(sign, Handshake{Message: make([]byte, 1<<10)}), "over the bound of 1024",
		},
		"too many names": {
			packet(names, namesBody{Users: make([]uint32, MaxNames+1)}), "513 names",
		},
		"group name too long": {
			packet(group, groupBody{Name: make([]byte, MaxGroupName+1)}), "257 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{hold: make(chan struct{})}
			c, ended := start(t, f)
			if _, err := c.Admit(t.Context(), Connection{}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.conn.Write(test.packet); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want one with %q", err, test.want)
			}
		})
	}
}

// The backend checks at most the configured number of failed logins of a session, and only one
// login at a time. Further logins are refused.
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
	go func() { first <- guess() }() // ends after hold is closed
	<-f.loginsReached(1)
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
		t.Errorf("the backend checked %d logins, want 3", f.logins)
	}
}

// A name and a password that each fill a command line with arbitrary bytes are within the bound.
func TestLongCredentials(t *testing.T) {
	c, _ := start(t, new(fake))
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("\xff", 2048)
	cred := auth.Credentials{User: long, Password: auth.Password(long)}
	var refusal *auth.Refusal
	if _, err := c.Authenticate(t.Context(), a.Session, cred); !errors.As(err, &refusal) {
		t.Errorf("a login of two long lines: %v", err)
	}
}

// An answer over its bound fails its request only. The core continues.
func TestAnswersOverTheBound(t *testing.T) {
	f := &fake{groups: make([]uint32, 60_000), suffix: strings.Repeat("g", maxAnswer)}
	c, _ := start(t, f)
	a, err := c.Admit(t.Context(), Connection{})
	if err != nil {
		t.Fatal(err)
	}
	cred := auth.Credentials{User: "al\xffice", Password: auth.Password("\xe4\x00")}
	if _, err := c.Authenticate(t.Context(), a.Session, cred); err == nil {
		t.Error("an account with 60,000 groups was received")
	}
	f.mu.Lock()
	if len(f.events) != 1 || f.events[0].Kind != events.LoginFailed ||
		!strings.Contains(f.events[0].Cause, "too many groups") {
		t.Errorf("events = %+v", f.events)
	}
	f.mu.Unlock()
	n, err := c.Names(t.Context(), []uint32{1}, []uint32{2})
	if err != nil || len(n.Users)+len(n.Groups) != 0 {
		t.Errorf("Names = %.100v, %v; want none", n, err)
	}
	if _, err := c.Admit(t.Context(), Connection{}); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

// If the answer to Admit arrives after the caller has returned, the client ends the session.
func TestAdmittedTooLate(t *testing.T) {
	f := &fake{admit: make(chan struct{}), released: make(chan string, 1)}
	c, _ := start(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	late := make(chan error, 1)
	go func() { // ends with ctx
		_, err := c.Admit(ctx, Connection{})
		late <- err
	}()
	f.admit <- struct{}{} // received at the begin of the supervisor's Admit
	cancel()
	if err := <-late; !errors.Is(err, context.Canceled) {
		t.Fatalf("Admit = %v", err)
	}
	f.admit <- struct{}{}
	if id := <-f.released; id != "s1" {
		t.Errorf("released %q, want s1", id)
	}
}

// The kernel drops the descriptors that a core sends, and the message ends the core.
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
		t.Error("a message with a descriptor was accepted")
	}
}

// A core that was retired may request the admission of connections that it had accepted, until it
// has reported that its listeners are closed. After that a request is fatal.
func TestAdmitAfterRetire(t *testing.T) {
	conn, fd := pair(t)
	server, core := NewServer(conn, new(fake), 3), rawCore{t, connOf(t, fd)}
	ended := make(chan error, 1)
	go func() { // ends with the request
		_, err := server.Run(func() {})
		ended <- err
	}()
	core.send(ready, struct{}{})
	if err := server.Retire(); err != nil {
		t.Fatal(err)
	}
	core.receive(retire, &struct{}{})
	var a Admission
	core.send(admit, Connection{})
	core.receive(answer, &a)
	if a.Session == "" {
		t.Error("a connection that was accepted before is refused")
	}
	core.send(closed, struct{}{})
	<-server.Closed()
	core.send(event, packEvent(events.Event{Kind: events.Connect, Session: a.Session}))
	core.send(admit, Connection{})
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "after it was replaced") {
		t.Errorf("it ended with %v", err)
	}
}

// The orders to end reach the core, and Run returns when the supervisor closes the connection.
func TestDrainAndHangUp(t *testing.T) {
	server, client := connected(t)
	drained, retired := make(chan time.Duration, 1), make(chan bool, 1)
	ended := make(chan error, 1)
	go func() { // ends with the connection
		ended <- client.Run(Orders{
			Drain:  func(d time.Duration) { drained <- d },
			Retire: func() { retired <- true },
		})
	}()
	if err := server.Retire(); err != nil {
		t.Fatal(err)
	}
	<-retired
	if err := server.Drain(time.Minute); err != nil {
		t.Fatal(err)
	}
	if d := <-drained; d != time.Minute {
		t.Errorf("drain = %v", d)
	}
	server.conn.Close()
	if err := <-ended; !errors.Is(err, ErrHungUp) {
		t.Errorf("after the supervisor hung up: %v", err)
	}
}
