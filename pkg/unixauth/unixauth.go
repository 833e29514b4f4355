// Package unixauth logs in the users of the system and finds their names. It calls PAM and the
// name service through the helper ftpd-auth, so that neither runs in the process of the server.
//
// Each login has its own helper process, because session modules of PAM change the process that
// calls them, and modules leak memory and are not safe for use by several threads; see pool.go.
// Logins wait in a queue that is fair to the addresses of clients (auth.Queue). One long-lived
// helper without privileges finds names; see names.go.
package unixauth

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"ftpd/pkg/auth"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/unixauth/internal/wire"
)

// A Passwd is an entry of the user database. Its name is the canonical one, which may differ
// from the name in the query.
type Passwd = wire.Passwd

// Options configure how users are checked.
type Options struct {
	Helper       string // path of ftpd-auth; see Find
	Service      string // the PAM service, a file in /etc/pam.d
	MinUID       int    // users with a lower uid may not log in; uid 0 never may
	RequireShell bool   // the login shell must be in /etc/shells
	Guest        string // account for users that PAM accepts but the system lacks; "" refuses them
	KeepSession  bool   // an Account has Close, which ends the PAM session
	Queue        *auth.Queue
}

// An Authorizer checks system users with PAM. It is safe for use by several goroutines.
type Authorizer struct {
	rules Options
	pool  *pool
}

// New returns an Authorizer. It starts a first helper, so that an installation that cannot work
// is an error here. It needs root, as PAM does.
func New(o Options) (*Authorizer, error) {
	p, err := newPool(o.Helper, o.Queue)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Helper, err)
	}
	return &Authorizer{rules: o, pool: p}, nil
}

// Authenticate checks one login. Its error is an *auth.Refusal if the user may not log in,
// auth.ErrBusy, the cause of ctx, or the failure of the check. The end of ctx ends the wait for a
// turn only: a check that has begun is completed and returns its outcome, so that no PAM module is
// interrupted, and the failures of a client that disconnects early are counted.
func (a *Authorizer) Authenticate(ctx context.Context, c auth.Credentials) (*auth.Account, error) {
	if err := checkCredentials(c); err != nil {
		return nil, err
	}
	request := wire.Login{
		Service:  a.rules.Service,
		User:     []byte(c.User),
		Password: c.Password,
		Remote:   c.Remote.String(),
		Guest:    a.rules.Guest,
		Keep:     a.rules.KeepSession,
	}
	l, err := a.pool.login(ctx, c.Remote, request, a.rules.check)
	if err != nil {
		return nil, err
	}
	return &auth.Account{
		Name: l.name(),
		Home: l.passwd.Home,
		As: &impersonate.Credentials{
			UID: l.passwd.UID, GID: l.passwd.GID, Groups: l.session.GIDs,
		},
		Groups: l.session.Groups,
		Close:  l.close,
	}, nil
}

// Close ends all helpers and waits for their exit. Running logins have closeGrace to finish.
func (a *Authorizer) Close() error {
	a.pool.close()
	return nil
}

// Find returns the path of ftpd-auth: beside the running program, as in a build tree, else in
// the directories of packages. It uses neither $PATH nor the working directory, because the
// helper runs as root.
func Find() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	paths := []string{
		filepath.Join(filepath.Dir(self), "ftpd-auth"),
		"/usr/libexec/ftpd/ftpd-auth",
		"/usr/lib/ftpd/ftpd-auth",
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() &&
			info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("ftpd-auth is neither beside %s nor in /usr/libexec/ftpd "+
		"or /usr/lib/ftpd; it is built with a C compiler and libpam (make build)", self)
}
