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

// village has the virtual user carla with the password "pä ss", settings for the system user alice, and anonymous users.
func village() *config.Config {
	c := config.Default()
	c.Defaults.Home, c.Defaults.RunAs = "/srv/{user}", "www-data"
	c.Anonymous = config.Anonymous{Enabled: true, Directory: "/srv/pub", RunAs: "ftp", Permissions: config.ReadOnly}
	c.Groups = []config.Group{{Name: "staff", Override: config.Override{Set: []string{"home"}, Settings: config.Settings{Home: "/srv/staff"}}}}
	c.Users = []config.User{{Name: "alice"}, {Name: "carla", Password: foreign[0]}}
	return c
}

// accounts is a RunAs that knows some accounts.
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

// compose is what the supervisor puts together, without the policy.
func compose(t *testing.T, c *config.Config, r RunAs, queue *Queue, next Authorizer) Authorizer {
	t.Helper()
	v, err := NewVirtual(c, r, queue, next)
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
		here     bool // the server impersonates nobody
		user     string
		password Password
		want     *Account
		cause    string
		asked    bool // of the system
	}{
		{name: "virtual", user: "carla", password: "pä ss", want: &Account{Name: "carla", Home: "/srv/carla", As: www}},
		{name: "wrong password", user: "carla", password: "pass", cause: "carla: wrong password"},
		{name: "capitals are another name", user: "Carla", password: "pä ss", asked: true},
		{name: "without a password it is the system's", user: "alice", password: "x", asked: true},
		{name: "unknown here", user: "bob", password: "x", asked: true},
		{name: "anonymous", user: "anonymous", want: &Account{Name: "anonymous", Home: "/srv/pub", As: &impersonate.Credentials{UID: 970, GID: 970}}},
		{name: "anonymous in capitals", user: "ANONYMOUS", asked: true},
		{name: "no alias", user: "ftp", asked: true},
		{name: "no anonymous users", user: "anonymous", asked: true, edit: func(c *config.Config) { c.Anonymous.Enabled = false }},
		{name: "run_as is gone", user: "carla", password: "pä ss", cause: `carla: run_as = "gone": the system has no account of that name`,
			edit: func(c *config.Config) { c.Defaults.RunAs = "gone" }},
		{name: "root by another name", user: "carla", password: "pä ss", cause: `carla: run_as = "toor": no file is accessed as root`,
			edit: func(c *config.Config) { c.Defaults.RunAs = "toor" }},
		{name: "no run_as, as root", user: "carla", password: "pä ss", edit: func(c *config.Config) { c.Defaults.RunAs = "" },
			cause: `carla: run_as is "", which is for a server that impersonates nobody: name an account`},
		{name: "no run_as, as an ordinary user", user: "carla", password: "pä ss", here: true, want: &Account{Name: "carla", Home: "/srv/carla"},
			edit: func(c *config.Config) { c.Defaults.RunAs = "" }},
		{name: "run_as, as an ordinary user", user: "carla", password: "pä ss", here: true,
			cause: `carla: run_as = "www-data": this server impersonates nobody`},
		{name: "the name of a group is no group", user: "staff", password: "pä ss", want: &Account{Name: "staff", Home: "/srv/staff", As: www},
			edit: func(c *config.Config) { c.Users[1].Name = "staff" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := village()
			if c.edit != nil {
				c.edit(cfg)
			}
			runAs, system := RunAs(accounts), &staff{home: "/home/alice"}
			if c.here {
				runAs = nil
			}
			got, err := compose(t, cfg, runAs, NewQueue(1, 1, nil), system).Authenticate(t.Context(), Credentials{User: c.user, Password: c.password})
			wantCause(t, err, c.cause)
			if system.asked.Load() != c.asked {
				t.Errorf("the system was asked: %v", system.asked.Load())
			}
			if c.want != nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A login is not refused because the name service was busy with the accounts of others.
func TestNameServiceIsBusy(t *testing.T) {
	busy := func(string) (*impersonate.Credentials, error) { return nil, ErrBusy }
	login := Credentials{User: "anonymous", Remote: addrA}
	_, err := compose(t, village(), busy, NewQueue(1, 1, nil), nil).Authenticate(t.Context(), login)
	var refusal *Refusal
	if errors.As(err, &refusal) || !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
}

// A name that nobody has waits for its turn to be hashed as others do, where no other backend could know it.
func TestUnknownNameTakesATurn(t *testing.T) {
	hung := errors.New("the client hung up")
	for user, users := range map[string]bool{"nobody": true, "carla": true, "stranger": false} {
		c := village()
		if !users {
			c.Users = nil
		}
		queue := NewQueue(1, 4, nil)
		a := compose(t, c, accounts, queue, nil)
		login := Credentials{User: user, Password: "x", Remote: addrB}
		_, err := a.Authenticate(t.Context(), login)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", user, err)
		}
		if queue.free != 1 {
			t.Fatal("the turn was not given back")
		}
		if err := queue.Enter(t.Context(), addrA); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(hung)
		if _, err := a.Authenticate(ctx, login); errors.Is(err, hung) != users {
			t.Errorf("%s, while somebody else has the turn: %v", user, err)
		}
	}
}

// A configuration with a hash that cannot be used does not start.
func TestNewVirtualRefusesHashes(t *testing.T) {
	c := village()
	c.Users[1].Password = "$2b$05$short"
	if _, err := NewVirtual(c, accounts, NewQueue(1, 1, nil), nil); err == nil || !strings.Contains(err.Error(), `"carla"`) || strings.Contains(err.Error(), "short") {
		t.Errorf("got %v", err)
	}
}
