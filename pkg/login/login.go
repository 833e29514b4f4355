// Package login makes the login of an account whose password was right: its settings, its files,
// opened with the identity of the user, and its limits. It also decides which logins need TLS. It
// checks no password, and knows no session and no reply.
package login

import (
	"errors"
	"fmt"
	"path"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/limit"
	"ftpd/pkg/vfs"
)

// A Login is what a session has of its user. It does not change.
type Login struct {
	Account  *auth.Account
	Settings config.Effective
	Rights   config.Rights
	Files    *vfs.FS // closed by the owner of the Login
	Limits   limit.Login
	tls      config.RequireTLS
}

// Logins makes the Logins of a server. It may be used by several goroutines.
type Logins struct {
	config  *config.Config
	threads *impersonate.Threads
	roots   []string
	tls     bool
	allTLS  bool // every login needs TLS
}

// New returns the Logins for a configuration, which must not change. If threads is nil, accounts
// that need impersonation are refused. roots are those of vfs.Options. tls reports whether the
// server has a certificate.
func New(c *config.Config, threads *impersonate.Threads, roots []string, tls bool) *Logins {
	ls := &Logins{config: c, threads: threads, roots: roots, tls: tls}
	ls.allTLS = ls.needAllTLS()
	return ls
}

// ErrWithoutTLS is the error of Open if the password came without TLS and the user's settings do not
// permit that.
var ErrWithoutTLS = errors.New("require_tls: the password came without TLS")

var errNoThreads = errors.New("this server impersonates nobody")

// Open opens the files of an account, with the identity of its user. secure reports whether the
// password came over TLS. The error is ErrWithoutTLS, impersonate.ErrBusy or one for the log.
func (ls *Logins) Open(account *auth.Account, secure bool) (*Login, error) {
	settings, err := ls.config.For(account.Name, account.Groups)
	if err != nil {
		return nil, err
	}
	l := &Login{
		Account:  account,
		Settings: settings,
		Rights:   settings.Rights(),
		Limits:   limit.NewLogin(account.Name, settings.Settings),
		tls:      ls.required(settings.Settings),
	}
	if !secure && l.tls != config.RequireTLSOff {
		return nil, ErrWithoutTLS
	}
	identity, err := ls.identity(account)
	if err != nil {
		return nil, err
	}
	root := account.Home
	if !settings.Confine {
		root = "/"
	}
	l.Files, err = vfs.Open(vfs.Options{
		Mounts:   append([]config.Mount{{Path: "/", Directory: root}}, settings.Mounts...),
		Roots:    ls.roots,
		Identity: identity,
		Rights:   l.Rights,
		Umask:    settings.Umask,
		Hide:     ls.config.Files.Hide,
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// identity returns the identity under which the account's files are accessed; nil is the identity
// of the server.
func (ls *Logins) identity(a *auth.Account) (*impersonate.Identity, error) {
	switch {
	case a.As == nil:
		return nil, nil
	case ls.threads == nil:
		return nil, fmt.Errorf("act as uid %d: %w", a.As.UID, errNoThreads)
	}
	return ls.threads.Identity(a.Name, *a.As), nil
}

// StartDirectory returns the working directory at the beginning, an absolute FTP path: the user's
// start_directory, or the home where the user sees the whole file system. It is "/" if the user
// cannot enter that directory.
func (l *Login) StartDirectory() string {
	start := "/"
	switch {
	case l.Settings.StartDirectory != "":
		start = path.Clean("/" + l.Settings.StartDirectory)
	case !l.Settings.Confine:
		start = path.Clean("/" + l.Account.Home)
	}
	if start != "/" && l.Files.ChangeDir(start) != nil {
		return "/"
	}
	return start
}
