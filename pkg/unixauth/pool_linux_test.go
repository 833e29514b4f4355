package unixauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"ftpd/pkg/auth"
	"ftpd/pkg/unixauth/internal/wire"
)

// These tests run the pool with helpers that follow the protocol and helpers that do not. The
// helper is this test program, started as `login` or `names`. The name of its file selects its
// Hello, and the name of the user selects what it does with the login.

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "login" || os.Args[1] == "names") {
		if err := fakeHelper(filepath.Base(os.Args[0]), os.Args[1]); err != nil {
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func fakeHelper(name, duty string) error {
	c, err := wire.Open(os.NewFile(wire.Descriptor, "socket"))
	if err != nil {
		return err
	}
	hello := wire.Hello{Version: wire.Version}
	switch name {
	case "mute":
		return nil
	case "sorry":
		hello.Failed = "this one cannot work"
	case "old":
		hello.Version--
	}
	if err := c.Send(hello); err != nil {
		return err
	}
	if duty == "names" {
		return fakeNames(c)
	}
	var l wire.Login
	if err := c.Receive(&l); err != nil {
		return nil
	}
	return fakeLogin(c, string(l.User), string(l.Password))
}

func fakeLogin(c *wire.Conn, user, password string) error {
	account := &Passwd{Name: user, UID: 1000, GID: 100, Home: "/home/" + user, Shell: "/bin/sh"}
	passwd := wire.Reply{Passwd: account}
	session := wire.Reply{Session: &wire.Session{GIDs: []uint32{100, 4}, Groups: []string{"users"}}}
	switch user {
	case "refused":
		return c.Send(wire.Reply{Refused: fmt.Sprintf("no, %q", password)})
	case "failed":
		return c.Send(wire.Reply{Failed: "the directory is down"})
	case "dies":
		os.Exit(7)
	case "hangs":
		return c.Receive(&wire.Proceed{}) // ends when the pool closes or kills
	case "skips":
		return c.Send(session)
	case "twice":
		return errors.Join(c.Send(passwd), c.Send(passwd), c.Receive(&wire.Proceed{}))
	case "empty":
		return c.Send(wire.Reply{})
	case "sleepy":
		return errors.Join(c.Send(wire.Reply{Waiting: true}), c.Send(wire.Reply{Waiting: true}))
	case "sleeps":
		return errors.Join(c.Send(wire.Reply{Waiting: true}), c.Receive(&wire.Proceed{}))
	case "noise":
		return c.Send("noise")
	case "root":
		account.UID = 0
	}
	if err := c.Send(passwd); err != nil {
		return err
	}
	if err := c.Receive(&wire.Proceed{}); err != nil {
		return nil
	}
	if user == "keeps" {
		return errors.Join(c.Send(session), c.Receive(&wire.Proceed{}))
	}
	return c.Send(session)
}

// helperNamed returns a path of this program with the last element name.
func helperNamed(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

func newFake(t *testing.T) *Authorizer {
	t.Helper()
	checkLeaks(t)
	queue := auth.NewQueue(turns, 512, nil)
	a, err := New(Options{Helper: helperNamed(t, "good"), MinUID: 1000, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// checkLeaks checks at the end of the test that no descriptor and no child process, also no
// zombie, is left.
func checkLeaks(t *testing.T) {
	t.Helper()
	before := descriptors(t)
	t.Cleanup(func() {
		if now := descriptors(t); now > before {
			t.Errorf("%d descriptors, %d at the start", now, before)
		}
		tasks, _ := filepath.Glob("/proc/self/task/*/children")
		for _, task := range tasks {
			if children, _ := os.ReadFile(task); len(children) > 0 {
				t.Errorf("child processes are left: %s", children)
			}
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func (a *Authorizer) try(ctx context.Context, user string) (*auth.Account, error) {
	return a.Authenticate(ctx, auth.Credentials{User: user, Password: auth.Password("caf\xe9"), Remote: client})
}

var client = netip.MustParseAddr("192.0.2.1")

func TestLogin(t *testing.T) {
	a := newFake(t)
	for range readyHelpers + 3 {
		a, err := a.try(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("%s %s %+v %v", a.Name, a.Home, *a.As, a.Groups)
		if got != "alice /home/alice {UID:1000 GID:100 Groups:[100 4]} [users]" {
			t.Errorf("account %s", got)
		}
	}
	_, err := a.try(t.Context(), "refused")
	wantRefusal(t, err, `no, "caf\xe9"`) // passwords are bytes
	_, err = a.try(t.Context(), "root")
	wantRefusal(t, err, "root: uid 0 may not log in, whatever auth.min_uid says")
}

// A helper that breaks the protocol, or ends before it has read the password, is a failure, neither
// a success nor a refusal.
func TestHelperFails(t *testing.T) {
	a := newFake(t)
	for user, want := range map[string]string{
		"failed": "the directory is down",
		"skips":  "it opened a session without being asked",
		"twice":  "it named the account twice",
		"empty":  "it sent an impossible message",
		"sleepy": "it sent an impossible message",
		"noise":  "cannot unmarshal string",
	} {
		got, err := a.try(t.Context(), user)
		var refusal *auth.Refusal
		if got != nil || err == nil || errors.As(err, &refusal) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want an error with %q", user, got, err, want)
		}
	}
	if _, err := a.try(t.Context(), "alice"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestHelperCannotStart(t *testing.T) {
	checkLeaks(t)
	for name, want := range map[string]string{
		"mute":  "no greeting: EOF (exit status 0)",
		"sorry": "this one cannot work",
		"old":   "it speaks version 0, not 1",
	} {
		_, err := New(Options{Helper: helperNamed(t, name)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{Helper: "/nonexistent/ftpd-auth"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no helper at all: %v", err)
	}
}

// A helper that ends after it has read the password is a refusal, which counts as a failed login.
func TestHelperEndsInTheCheck(t *testing.T) {
	a := newFake(t)
	_, err := a.try(t.Context(), "dies")
	wantRefusal(t, err, a.pool.path+" login: EOF (exit status 7)")
}

func TestHelperKilled(t *testing.T) {
	a := newFake(t)
	failed := make(chan error)
	go func() { // ends when the helper is killed
		_, err := a.try(context.Background(), "hangs")
		failed <- err
	}()
	a.pool.oneRunning().kill()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("killed helper: %v", err)
	}
}

// oneRunning waits until a helper runs a login, and returns the helper.
func (p *pool) oneRunning() *helper {
	for {
		p.mu.Lock()
		for h := range p.helpers {
			p.mu.Unlock()
			return h
		}
		p.mu.Unlock()
	}
}

// A login whose context ends while the helper checks the password returns the outcome of the check,
// and one whose context ends before has none.
func TestContextEnds(t *testing.T) {
	a := newFake(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	left := errors.New("hung up")
	failed := make(chan error)
	go func() { // ends with the helper
		_, err := a.try(ctx, "hangs")
		failed <- err
	}()
	h := a.pool.oneRunning()
	cancel(left)
	h.kill()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("with a turn: %v", err)
	}
	for range turns {
		a.pool.queue.Enter(t.Context(), client)
	}
	if _, err := a.try(ctx, "alice"); !errors.Is(err, left) {
		t.Errorf("without a turn: %v", err)
	}
}

// turns is the number of logins that a test may run at one time.
const turns = 2

// Helpers that only wait return their turns: if there are as many as there are turns, other
// logins still proceed.
func TestWaitingHelpersReturnTheirTurns(t *testing.T) {
	a := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range turns {
		go a.try(ctx, "sleeps") // ends with ctx
	}
	for len(a.pool.waiting) < turns {
		if _, err := a.try(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.try(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	for h := range a.pool.all() {
		h.kill()
	}
	a.Close()
	if len(a.pool.waiting) != 0 {
		t.Errorf("%d waiting helpers are counted", len(a.pool.waiting))
	}
	for range turns { // blocks unless all turns were returned
		if err := a.pool.queue.Enter(t.Context(), client); err != nil {
			t.Error(err)
		}
	}
}

func (p *pool) all() map[*helper]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[*helper]bool{}
	for h := range p.helpers {
		all[h] = true
	}
	return all
}

func TestClosed(t *testing.T) {
	a := newFake(t)
	a.Close()
	if _, err := a.try(t.Context(), "alice"); err != errClosed {
		t.Errorf("got %v", err)
	}
}

// A kept session has a helper, but no turn, until it is closed or the pool is.
func TestKeptSessions(t *testing.T) {
	a := newFake(t)
	a.rules.KeepSession = true
	var accounts []*auth.Account
	for range 2 * turns {
		account, err := a.try(t.Context(), "keeps")
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, account)
	}
	if n := len(a.pool.all()); n != len(accounts) {
		t.Errorf("%d helpers for %d sessions", n, len(accounts))
	}
	accounts[0].Close()
	accounts[0].Close()
	for len(a.pool.all()) == len(accounts) {
		runtime.Gosched()
	}
	a.Close()
	if n := len(a.pool.all()); n != 0 {
		t.Errorf("%d helpers are left", n)
	}
}
