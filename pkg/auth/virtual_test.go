package auth

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

// village returns a configuration with the virtual user carla with the password "pä ss",
// settings for the system user alice, and anonymous users.
func village() *config.Config {
	c := config.Default()
	c.Defaults.Home, c.Defaults.RunAs = "/srv/{user}", "www-data"
	c.Anonymous = config.Anonymous{Enabled: true, Directory: "/srv/pub", RunAs: "ftp",
		Permissions: config.ReadOnly}
	c.Groups = []config.Group{{Name: "staff", Override: config.Override{
		Set: []string{"home"}, Settings: config.Settings{Home: "/srv/staff"},
	}}}
	c.Users = []config.User{{Name: "alice"}, {Name: "carla", Password: foreign[0]}}
	return c
}

// accounts is a RunAs with some accounts.
func accounts(name string) (*impersonate.Credentials, error) {
	switch name {
	case "www-data":
		return &impersonate.Credentials{UID: 33, GID: 33, Groups: []uint32{33, 50}}, nil
	case "ftp":
		return &impersonate.Credentials{UID: 970, GID: 970}, nil
	case "toor":
		return &impersonate.Credentials{UID: 0, GID: 0}, nil
	}
	return nil, errors.New("the system has no account of that name")
}

// compose returns the Authorizer that the supervisor composes, without the policy.
func compose(t *testing.T, c *config.Config, r RunAs, queue *Queue, next Authorizer) Authorizer {
	t.Helper()
	return composeWith(t, c, r, queue, Compare, next)
}

func composeWith(
	t *testing.T, c *config.Config, r RunAs, queue *Queue, compare CompareFunc, next Authorizer,
) Authorizer {
	t.Helper()
	v, err := NewVirtual(c, r, queue, compare, next)
	if err != nil {
		t.Fatal(err)
	}
	return &Anonymous{Config: c, RunAs: r, Next: v}
}

func TestConfiguredUsers(t *testing.T) {
	www := &impersonate.Credentials{UID: 33, GID: 33, Groups: []uint32{33, 50}}
	for _, c := range []struct {
		name     string
		edit     func(*config.Config)
		ordinary bool // the server runs as an ordinary user, without impersonation
		user     string
		password string
		want     *Account
		cause    string
		next     bool // the login is passed to the system
	}{
		{name: "virtual", user: "carla", password: "pä ss",
			want: &Account{Name: "carla", Home: "/srv/carla", As: www}},
		{name: "wrong password", user: "carla", password: "pass", cause: "carla: wrong password"},
		{name: "capitals are another name", user: "Carla", password: "pä ss", next: true},
		{name: "a [[user]] without a password", user: "alice", password: "x", next: true},
		{name: "not in the configuration", user: "bob", password: "x", next: true},
		{name: "anonymous", user: "anonymous", want: &Account{
			Name: "anonymous", Home: "/srv/pub", As: &impersonate.Credentials{UID: 970, GID: 970},
		}},
		{name: "anonymous in capitals", user: "ANONYMOUS", next: true},
		{name: "no alias", user: "ftp", next: true},
		{name: "no anonymous users", user: "anonymous", next: true,
			edit: func(c *config.Config) { c.Anonymous.Enabled = false }},
		{name: "run_as does not exist", user: "carla", password: "pä ss",
			edit:  func(c *config.Config) { c.Defaults.RunAs = "gone" },
			cause: `carla: run_as = "gone": the system has no account of that name`},
		{name: "root by another name", user: "carla", password: "pä ss",
			edit:  func(c *config.Config) { c.Defaults.RunAs = "toor" },
			cause: `carla: run_as = "toor": no file is accessed as root`},
		{name: "no run_as, as root", user: "carla", password: "pä ss",
			edit: func(c *config.Config) { c.Defaults.RunAs = "" },
			cause: `carla: run_as is "", ` +
				`which is for a server that impersonates nobody: name an account`},
		{name: "no run_as, as an ordinary user", user: "carla", password: "pä ss", ordinary: true,
			edit: func(c *config.Config) { c.Defaults.RunAs = "" },
			want: &Account{Name: "carla", Home: "/srv/carla"}},
		{name: "run_as, as an ordinary user", user: "carla", password: "pä ss", ordinary: true,
			cause: `carla: run_as = "www-data": this server impersonates nobody`},
		{name: "a user with the name of a group", user: "staff", password: "pä ss",
			edit: func(c *config.Config) { c.Users[1].Name = "staff" },
			want: &Account{Name: "staff", Home: "/srv/staff", As: www}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := village()
			if c.edit != nil {
				c.edit(cfg)
			}
			runAs, system := RunAs(accounts), &staff{home: "/home/alice"}
			if c.ordinary {
				runAs = nil
			}
			a := compose(t, cfg, runAs, NewQueue(1, 1, nil), system)
			got, err := a.Authenticate(t.Context(), Credentials{User: c.user, Password: Password(c.password)})
			wantCause(t, err, c.cause)
			if passed := system.called.Load(); passed != c.next {
				t.Errorf("passed to the system: %v", passed)
			}
			if c.want != nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A login is busy, not refused, if the name service is busy with other accounts.
func TestNameServiceIsBusy(t *testing.T) {
	busy := func(string) (*impersonate.Credentials, error) { return nil, ErrBusy }
	login := Credentials{User: "anonymous", Remote: addrA}
	_, err := compose(t, village(), busy, NewQueue(1, 1, nil), nil).Authenticate(t.Context(), login)
	var refusal *Refusal
	if errors.As(err, &refusal) || !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
}

// An unknown name waits for its turn and is hashed as a known name is, if there is no other
// backend.
func TestUnknownNameTakesATurn(t *testing.T) {
	hungUp := errors.New("the client hung up")
	for user, users := range map[string]bool{"unknown": true, "carla": true, "stranger": false} {
		c := village()
		if !users {
			c.Users = nil
		}
		queue := NewQueue(1, 4, nil)
		a := compose(t, c, accounts, queue, nil)
		login := Credentials{User: user, Password: Password("x"), Remote: addrB}
		_, err := a.Authenticate(t.Context(), login)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", user, err)
		}
		if queue.free != 1 {
			t.Fatal("the turn was not returned")
		}
		if err := queue.Enter(t.Context(), addrA); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(hungUp)
		if _, err := a.Authenticate(ctx, login); errors.Is(err, hungUp) != users {
			t.Errorf("%s, while another login has the turn: %v", user, err)
		}
	}
}

// A hash that cannot be used is an error at the start, which does not show the hash.
func TestNewVirtualRefusesHashes(t *testing.T) {
	c := village()
	c.Users[1].Password = "$2b$05$short"
	_, err := NewVirtual(c, accounts, NewQueue(1, 1, nil), Compare, nil)
	if err == nil || !strings.Contains(err.Error(), `"carla"`) ||
		strings.Contains(err.Error(), "short") {
		t.Errorf("got %v", err)
	}
}

// A password that cannot be hashed counts as a failed login. A comparison that fails for another
// reason does not.
func TestFailedComparisons(t *testing.T) {
	for _, c := range []struct {
		err     error
		refused bool
	}{
		{err: &Refusal{Cause: "the hash is damaged"}, refused: true},
		{err: errors.New("the process has died")},
	} {
		compare := func(config.Hash, Password) (bool, error) { return false, c.err }
		queue := NewQueue(1, 1, nil)
		for _, user := range []string{"carla", "unknown"} {
			_, err := composeWith(t, village(), accounts, queue, compare, nil).
				Authenticate(t.Context(), Credentials{User: user, Remote: addrA})
			want := "check the password of " + user + ": " + c.err.Error()
			var refusal *Refusal
			if errors.As(err, &refusal) != c.refused || err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %q", user, err, want)
			}
		}
		if queue.free != 1 {
			t.Error("the turn was not returned")
		}
	}
}
