package login

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

// relax lets a user or the members of a group log in without TLS.
var relax = config.Override{
	Set: []string{"require_tls"}, Settings: config.Settings{RequireTLS: config.RequireTLSOff},
}

// The name alone decides only if nothing that is known after the check of the password, such as
// the groups of a system user, can permit a login without TLS.
func TestNeedsTLS(t *testing.T) {
	for name, test := range map[string]struct {
		tls        bool
		required   config.RequireTLS
		groups     []config.Group
		users      []config.User
		alice, all bool
	}{
		"no certificate": {false, config.RequireTLSAuto, nil, nil, false, false},
		"a certificate":  {true, config.RequireTLSAuto, nil, nil, true, true},
		"switched off":   {true, config.RequireTLSOff, nil, nil, false, false},
		"a relaxed group": {true, config.RequireTLSAll,
			[]config.Group{{Name: "g", Override: relax}}, nil, false, false},
		"a relaxed user": {true, config.RequireTLSLogin,
			nil, []config.User{{Name: "bob", Override: relax}}, true, false},
		"alice relaxed": {true, config.RequireTLSLogin,
			nil, []config.User{{Name: "alice", Override: relax}}, false, false},
	} {
		c := config.Default()
		c.Defaults.RequireTLS, c.Groups, c.Users = test.required, test.groups, test.users
		ls := New(c, nil, nil, test.tls)
		if got := ls.NeedsTLS("alice"); got != test.alice {
			t.Errorf("%s: alice needs TLS: %v", name, got)
		}
		if got := ls.AllNeedTLS(); got != test.all {
			t.Errorf("%s: all need TLS: %v", name, got)
		}
	}
}

func TestOpen(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "inbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	alice := &auth.Account{Name: "alice", Home: home}
	for start, want := range map[string]string{"": "/", "inbox": "/inbox", "/missing": "/"} {
		c.Defaults.StartDirectory = start
		l, err := New(c, nil, nil, false).Open(alice, false)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.StartDirectory(); got != want {
			t.Errorf("start_directory %q: %q", start, got)
		}
		l.Files.Close()
	}
	c.Defaults.StartDirectory, c.Defaults.Confine = "", false
	l, err := New(c, nil, nil, false).Open(alice, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.StartDirectory(); got != home {
		t.Errorf("without confine: %q", got)
	}
	l.Files.Close()

	c.Defaults.RequireTLS = config.RequireTLSAll
	if _, err := New(c, nil, nil, true).Open(alice, false); !errors.Is(err, ErrWithoutTLS) {
		t.Errorf("without TLS: %v", err)
	}
	if l, err = New(c, nil, nil, true).Open(alice, true); err != nil || !l.NeedsPrivateData() {
		t.Errorf("with TLS: %v", err)
	} else {
		l.Files.Close()
	}
	foreign := &auth.Account{Name: "f", Home: home, As: &impersonate.Credentials{UID: 1000}}
	if _, err := New(c, nil, nil, true).Open(foreign, true); !errors.Is(err, errNoThreads) {
		t.Errorf("another uid: %v", err)
	}
}
