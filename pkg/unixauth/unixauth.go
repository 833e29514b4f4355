// Package unixauth knows the system's users: it asks PAM and the name service through the helper ftpd-auth, so that neither runs
// in the server's process.
//
// A login goes through a helper of its own (PAM's session modules change the process that calls them, and modules are neither
// free of leaks nor safe among threads), see pool.go. They wait in a queue that is fair to clients' addresses (auth.Queue).
// Names are answered by one long-lived helper without privileges, see names.go.
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

// A Passwd is an entry of the user database. Its name is canonical, whatever name was asked for.
type Passwd = wire.Passwd

// Options say how users are checked.
type Options struct {
	Helper       string // path of ftpd-auth; see Find
	Service      string // PAM's, as in /etc/pam.d
	MinUID       int    // users below it may not log in; uid 0 never may
	RequireShell bool   // the login shell must be in /etc/shells
	Guest        string // the account of users whom PAM accepts and the system does not know; "" refuses them
	Queue        *auth.Queue
}

// An Authorizer checks system users by PAM. It is safe for use by several goroutines.
type Authorizer struct {
	rules Options
	pool  *pool
}

// New starts a first helper, so that an installation that cannot work is told at once. It needs root, as PAM does.
func New(o Options) (*Authorizer, error) {
	p, err := newPool(o.Helper, o.Queue)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Helper, err)
	}
	return &Authorizer{rules: o, pool: p}, nil
}

// Authenticate checks one login. Its errors are *auth.Refusal for a user who may not come in, auth.ErrBusy, the context's cause, or what
// failed. A login that was begun is carried to its end even when ctx ends, so that no PAM module is cut off half-way and a client
// that hangs up does not escape the counting of its failures.
func (a *Authorizer) Authenticate(ctx context.Context, c auth.Credentials) (*auth.Account, error) {
	if err := checkCredentials(c); err != nil {
		return nil, err
	}
	request := wire.Login{Service: a.rules.Service, User: []byte(c.User), Password: wire.Secret(c.Password), Remote: c.Remote.String(), Guest: a.rules.Guest}
	done, err := a.pool.login(ctx, c.Remote, request, a.rules.check)
	if err != nil {
		return nil, err
	}
	return &auth.Account{
		Name:   done.name(),
		Home:   done.passwd.Home,
		As:     &impersonate.Credentials{UID: done.passwd.UID, GID: done.passwd.GID, Groups: done.session.GIDs},
		Groups: done.session.Groups,
	}, nil
}

// Close ends all helpers and waits for them. Logins under way get some seconds to finish.
func (a *Authorizer) Close() error {
	a.pool.close()
	return nil
}

// Find gives the path of ftpd-auth: beside the running program as in a build tree, else where packages put it. Neither $PATH nor the
// working directory is asked, since the helper runs as root.
func Find() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	places := []string{filepath.Join(filepath.Dir(self), "ftpd-auth"), "/usr/libexec/ftpd/ftpd-auth", "/usr/lib/ftpd/ftpd-auth"}
	for _, p := range places {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("ftpd-auth is neither beside %s nor in /usr/libexec/ftpd or /usr/lib/ftpd; it is built with a C compiler and libpam (make build)", self)
}
