package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

// staff is a backend that accepts every login as "alice", a member of staff and ftp. It records
// whether it was called.
type staff struct {
	home   string
	called atomic.Bool
}

func (s *staff) Authenticate(context.Context, Credentials) (*Account, error) {
	s.called.Store(true)
	return &Account{Name: "alice", Home: s.home, Groups: []string{"staff", "ftp"}}, nil
}

func TestPolicy(t *testing.T) {
	midnight := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
	expires := config.Override{Set: []string{"expires"}, Expires: "2027-01-31"}
	for _, c := range []struct {
		name    string
		edit    func(*config.Config)
		user    string // "" is alice
		now     time.Time
		from    string
		cause   string
		skipped bool // the backend is not called
	}{
		{name: "defaults", edit: func(*config.Config) {}},
		{name: "denied without the backend", user: "root", cause: "root: named in auth.deny",
			skipped: true, edit: func(*config.Config) {}},
		{name: "denied by the canonical name", user: "ALICE",
			cause: "alice: alice is named in auth.deny",
			edit:  func(c *config.Config) { c.Auth.Deny = []string{"alice"} }},
		{name: "deny wins", cause: "alice: @ftp is named in auth.deny",
			edit: func(c *config.Config) {
				c.Auth.Deny, c.Auth.Allow = []string{"@ftp"},
					[]string{"alice"}
			}},
		{name: "a user is no group",
			edit: func(c *config.Config) { c.Auth.Deny = []string{"staff", "@alice"} }},
		{name: "names compare as bytes",
			edit: func(c *config.Config) { c.Auth.Deny = []string{"Alice", "@Staff"} }},
		{name: "allowed by name",
			edit: func(c *config.Config) { c.Auth.Allow = []string{"bob", "alice"} }},
		{name: "allowed by group",
			edit: func(c *config.Config) { c.Auth.Allow = []string{"@staff"} }},
		{name: "not allowed", cause: "alice: neither the name nor a group is in auth.allow",
			edit: func(c *config.Config) { c.Auth.Allow = []string{"bob", "@wheel"} }},
		{name: "disabled", cause: "alice: disabled in the configuration",
			edit: user(config.Override{Set: []string{"disabled"}, Disabled: true})},
		{name: "on the last day", now: midnight.Add(-time.Second), edit: user(expires)},
		{name: "after the last day", now: midnight,
			cause: "alice: expired on 2027-01-31 (expires)", edit: user(expires)},
		{name: "days are in UTC", now: midnight.In(time.FixedZone("west", -5*3600)),
			cause: "alice: expired on 2027-01-31 (expires)", edit: user(expires)},
		{name: "from a network allowed",
			edit: func(c *config.Config) { c.Defaults.AllowFrom = networks("192.0.2.0/24") }},
		{name: "from an IPv4 address in IPv6", from: "::ffff:192.0.2.7",
			edit: func(c *config.Config) { c.Defaults.AllowFrom = networks("192.0.2.7/32") }},
		{name: "from elsewhere", from: "198.51.100.1",
			cause: "alice: 198.51.100.1 is not in allow_from",
			edit:  func(c *config.Config) { c.Defaults.AllowFrom = networks("192.0.2.0/24") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config.Default()
			c.edit(cfg)
			backend := &staff{home: "/home/alice"}
			p := &Policy{Config: cfg, Backend: backend, Now: func() time.Time { return c.now }}
			login := Credentials{User: "alice", Remote: netip.MustParseAddr("192.0.2.7")}
			if c.user != "" {
				login.User = c.user
			}
			if c.from != "" {
				login.Remote = netip.MustParseAddr(c.from)
			}
			_, err := p.Authenticate(t.Context(), login)
			wantCause(t, err, c.cause)
			if called := backend.called.Load(); called == c.skipped {
				t.Errorf("the backend was called: %v", called)
			}
		})
	}
}

// A login that the policy refuses is ended in the backend.
func TestPolicyEndsRefusedLogins(t *testing.T) {
	closed := 0
	backend := authorizerFunc(func() (*Account, error) {
		return &Account{Name: "alice", Home: "/home/alice", Close: func() { closed++ }}, nil
	})
	c := config.Default()
	c.Auth.Allow = []string{"bob"}
	p := &Policy{Config: c, Backend: backend}
	if _, err := p.Authenticate(t.Context(), Credentials{User: "alice"}); err == nil || closed != 1 {
		t.Errorf("%v, and the login was ended %d times", err, closed)
	}
}

// An authorizerFunc is an Authorizer with one answer.
type authorizerFunc func() (*Account, error)

func (f authorizerFunc) Authenticate(context.Context, Credentials) (*Account, error) {
	return f()
}

// MakeHome receives a path without links, because root would follow them: a user could exchange one
// after it was checked.
func TestPolicyMakesHomeWithoutLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "in"), 0o755),
		os.Symlink("in", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Server.Roots = []string{dir}
	cfg.Defaults.CreateHome = true
	cfg.Defaults.Home = filepath.Join(dir, "link", "{user}")
	made := ""
	p := &Policy{Config: cfg, Backend: &staff{}, MakeHome: func(home string, _ *impersonate.Credentials, _ config.Mode) error {
		made = home
		return nil
	}}
	if _, err := p.Authenticate(t.Context(), Credentials{User: "alice"}); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "in", "alice"); made != want {
		t.Errorf("the home was made at %s, want %s", made, want)
	}
}

// The causes are complete lines for the administrator, so the test compares complete lines.
func TestPolicyHome(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"in", "out", "inwork"} {
		if err := os.MkdirAll(filepath.Join(dir, d, "alice"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"in/escape": "../out/alice", "out/return": "../in/alice", "in/dangling": "../out/absent",
		"root": "in", "system": "/proc",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	for _, c := range []struct {
		name   string
		roots  []string
		home   string // of the configuration
		system string // of the account
		create bool   // create_home
		want   string // "" for a refusal
		cause  string
	}{
		{name: "the account's own", system: "/home/alice", want: "/home/alice"},
		{name: "the configuration's", home: "/srv/ftp/{user}", system: "/x",
			want: "/srv/ftp/alice"},
		{name: "elsewhere", system: out,
			cause: `alice: home ` + out + ` is outside the directories served; ` +
				`to serve it set server.roots = ["/home", "` + out + `"]`},
		{name: "nowhere", system: "/nonexistent", cause: "alice: home /nonexistent does not exist"},
		{name: "nowhere by a link", system: in + "/dangling",
			cause: "alice: home " + in + "/dangling (" + out + "/absent) does not exist"},
		{name: "nowhere yet", system: out + "/new", create: true,
			cause: `alice: home ` + out + `/new is outside the directories ` +
				`served; to serve it set server.roots = ["/home", "` + out + `/new"]`},
		{name: "a longer name is not inside", roots: []string{in}, system: in + "work",
			cause: `alice: home ` + in + `work is outside server.roots; add "` + in +
				`work" to it`},
		{name: "inside", roots: []string{in}, system: in + "/alice", want: in + "/alice"},
		{name: "the root itself", roots: []string{in + "/"}, system: in, want: in},
		{name: "not there yet", roots: []string{in}, system: in + "/new/deep",
			want: in + "/new/deep"},
		{name: "dots", roots: []string{in}, system: in + "/../out/alice",
			cause: "alice: home " + out + `/alice is outside server.roots; add "` + out +
				`/alice" to it`},
		{name: "a link out", roots: []string{in}, system: in + "/escape",
			cause: "alice: home " + in + "/escape (" + out +
				`/alice) is outside server.roots; add "` + out + `/alice" to it`},
		{name: "a link in", roots: []string{in}, system: out + "/return", want: out + "/return"},
		{name: "dots inside", roots: []string{in}, system: in + "/x/../alice/",
			want: in + "/alice"},
		{name: "a root that is a link", roots: []string{dir + "/root"}, system: in + "/alice",
			want: in + "/alice"},
		{name: "all", roots: []string{"/"}, system: out + "/alice", want: out + "/alice"},
		{name: "all but what must be named", roots: []string{"/"}, system: "/etc",
			cause: `alice: home /etc is outside server.roots; add "/etc" to it`},
		{name: "named beside all", roots: []string{"/", "/etc"}, system: "/etc/alice",
			want: "/etc/alice"},
		{name: "never", roots: []string{"/", "/proc"}, system: "/proc/1",
			cause: "alice: home /proc/1 is in /proc or /sys, which are never served"},
		{name: "never by a link", roots: []string{"/"}, system: dir + "/system",
			cause: "alice: home " + dir +
				"/system (/proc) is in /proc or /sys, which are never served"},
		{name: "relative", system: "home", cause: `alice: home "home" is not an absolute path`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config.Default()
			cfg.Server.Roots, cfg.Defaults.Home, cfg.Defaults.CreateHome = c.roots, c.home, c.create
			p := &Policy{Config: cfg, Backend: &staff{home: c.system}}
			a, err := p.Authenticate(t.Context(), Credentials{User: "alice"})
			wantCause(t, err, c.cause)
			if err == nil && a.Home != c.want {
				t.Errorf("home %s, want %s", a.Home, c.want)
			}
		})
	}
}

// The system may return another name for a user than the client sent. That must not log in a user
// that exists in the configuration only.
func TestPolicyKeepsOwnNames(t *testing.T) {
	for _, own := range []struct{ sent, name, cause string }{
		{"ALICE", "alice", ""},
		{"CARLA", "carla", `carla: the system lets "CARLA" in by that name, ` +
			`which is another user's in the configuration`},
		{"guest", "anonymous", `anonymous: the system lets "guest" in by that name, ` +
			`which is another user's in the configuration`},
	} {
		c := village()
		c.Server.Roots = []string{"/srv"}
		system := renaming{Name: own.name, Home: "/srv/x"}
		p := &Policy{Config: c, Backend: compose(t, c, accounts, NewQueue(1, 1, nil), system)}
		_, err := p.Authenticate(t.Context(), Credentials{
			User: own.sent, Password: Password("pä ss"), Remote: netip.MustParseAddr("192.0.2.7"),
		})
		wantCause(t, err, own.cause)
	}
}

// renaming is a backend that accepts every login as itself.
type renaming Account

func (r renaming) Authenticate(context.Context, Credentials) (*Account, error) {
	a := Account(r)
	return &a, nil
}

func TestPolicyReturnsFailures(t *testing.T) {
	broken := errors.New("no helper")
	p := &Policy{Config: config.Default(), Backend: failing{broken}}
	if _, err := p.Authenticate(t.Context(), Credentials{User: "alice"}); err != broken {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Authenticate(context.Context, Credentials) (*Account, error) { return nil, f.err }

func user(o config.Override) func(*config.Config) {
	return func(c *config.Config) { c.Users = []config.User{{Name: "alice", Override: o}} }
}

func networks(cidr string) config.Networks {
	return config.Networks{{Prefix: netip.MustParsePrefix(cidr)}}
}

func wantCause(t *testing.T, err error, cause string) {
	t.Helper()
	var refusal *Refusal
	switch {
	case cause == "" && err != nil:
		t.Errorf("refused: %v", err)
	case cause != "" && !errors.As(err, &refusal):
		t.Errorf("got %v, want the refusal %s", err, cause)
	case cause != "" && refusal.Cause != cause:
		t.Errorf("cause %s\nwant  %s", refusal.Cause, cause)
	}
}

// links returns a readlink for a look, in which the paths of the map are symlinks.
func links(targets map[string]string) func(string) (string, error) {
	return func(path string) (string, error) { return targets[path], nil }
}

// With a home on a dead file system, its users cannot log in and one thread is lost. If many homes
// are on that file system, so many threads are lost as calls on one may run. Other users are not
// affected, and links into it are known.
func TestPolicyHomeIsDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := make(chan struct{})
		all, threads := &staff{home: "/net/alice"}, new(atomic.Int32)
		p := &Policy{Config: config.Default(), Backend: all}
		p.FileSystems = func() func(string) string {
			return func(path string) string { return strings.Split(path, "/")[1] }
		}
		p.readlink = func(path string) (string, error) {
			if strings.HasPrefix(path, "/net/") {
				threads.Add(1)
				<-dead
			}
			return links(map[string]string{"/home/linked": "/net/home"})(path)
		}
		p.Config.Server.Roots = []string{"/net", "/home"}
		login := func(home string) error {
			all.home = home
			_, err := p.Authenticate(t.Context(), Credentials{User: "alice"})
			return err
		}
		begun := time.Now()
		for range 100 {
			wantCause(t, login("/net/alice"),
				"alice: the file system of home /net/alice does not answer")
		}
		if took := time.Since(begun); took != homeTimeout || threads.Load() != 1 {
			t.Errorf("took %v and %d threads", took, threads.Load())
		}
		wantCause(t, login("/home/alice"), "")
		for i := range 4 * callsOfOne {
			p.look(&Account{Home: fmt.Sprint("/net/", i)}, config.Effective{})
			p.look(&Account{Home: fmt.Sprint("/home/linked/", i)}, config.Effective{})
		}
		wantCause(t, login("/home/alice"), "")
		wantCause(t, login("/net/bob"), "alice: the file system of home /net/bob does not answer")
		wantCause(t, login("/home/alice"), "")
		if threads.Load() != callsOfOne {
			t.Errorf("%d threads are lost", threads.Load())
		}
		close(dead)
		synctest.Wait()
		wantCause(t, login("/net/alice"), "")
	})
}

// The threads of all looks are bounded too: a login that has none left is not a failed one.
func TestPolicyFileSystemsAreDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := make(chan struct{})
		all := &staff{home: "/home/alice"}
		p := &Policy{Config: config.Default(), Backend: all}
		p.readlink = func(path string) (string, error) {
			if strings.HasPrefix(path, "/net/") {
				<-dead
			}
			return "", nil
		}
		for i := range callsOfAll {
			p.look(&Account{Home: fmt.Sprint("/net/", i)}, config.Effective{})
		}
		synctest.Wait()
		_, err := p.Authenticate(t.Context(), Credentials{User: "alice"})
		if !errors.Is(err, ErrBusy) {
			t.Errorf("got %v", err)
		}
		close(dead)
		synctest.Wait()
		_, err = p.Authenticate(t.Context(), Credentials{User: "alice"})
		wantCause(t, err, "")
	})
}

// No login accesses a root that was left out. The refusal of a user with a home or mount in it
// states the reason.
func TestPolicyRootIsLost(t *testing.T) {
	all := &staff{home: "/net/alice"}
	p := &Policy{Config: config.Default(), Backend: all}
	p.readlink = func(path string) (string, error) {
		if strings.HasPrefix(path, "/net") {
			t.Errorf("%s is accessed", path)
		}
		return links(map[string]string{"/home": "/disk/home"})(path)
	}
	p.Lost = func(dir string) error {
		if config.Within(dir, "/net") {
			return errors.New("/net is left out")
		}
		return nil
	}
	p.Config.Server.Roots = []string{"/net", "/home"}
	login := func() error {
		_, err := p.Authenticate(t.Context(), Credentials{User: "alice"})
		return err
	}
	wantCause(t, login(), "alice: /net is left out")
	all.home = "/home/alice"
	wantCause(t, login(), "")
	p.Config.Users = []config.User{{Name: "alice", Override: config.Override{
		Mounts: []config.Mount{{Path: "/m", Directory: "/net/m"}},
	}}}
	wantCause(t, login(), "alice: /net is left out")
}

// Many logins at the same moment share one look, if the file system is only slow.
func TestPolicyHomesAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Policy{Config: config.Default(), Backend: &staff{home: "/net/alice"},
			readlink: func(string) (string, error) {
				time.Sleep(time.Second)
				return "", nil
			}}
		p.Config.Server.Roots = []string{"/net"}
		var logins sync.WaitGroup
		for range 100 {
			logins.Go(func() { // ends with the login
				if _, err := p.Authenticate(t.Context(), Credentials{User: "alice"}); err != nil {
					t.Error(err)
				}
			})
		}
		logins.Wait()
	})
}
