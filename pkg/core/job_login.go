package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/limit"
	"ftpd/pkg/vfs"
)

// A passwordCheck is the job of PASS.
type passwordCheck struct {
	s           *Session
	credentials auth.Credentials
	secure      bool      // the password came over TLS
	due         time.Time // the end of limits.login_timeout; zero if there is no limit
	refused     time.Time // a refusal is not sent earlier (auth.failure_delay)

	// run leaves the following for finish.
	login   *login // nil after a refusal
	refusal Reply
	ended   error // why the check was ended before its result; nil if it was not
}

func (*passwordCheck) phase() phase { return phaseExclusive }

func (p *passwordCheck) run(ctx context.Context) {
	if !p.due.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, p.due, errLoginTimeout)
		defer cancel()
	}
	if p.login, p.refusal = p.authenticate(ctx); p.login != nil {
		return
	}
	sleep(ctx, time.Until(p.refused))
	p.ended = context.Cause(ctx)
}

func (p *passwordCheck) finish(context.Context) {
	if p.login != nil {
		p.s.welcome(p.login)
		return
	}
	p.s.answerFailedLogin(p.ended, p.refusal)
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// authenticate checks the password, and opens the user's files. After a refusal the login is
// nil, and the reply is the answer to PASS. The cause is then in the log: the supervisor logs
// its own refusals.
func (p *passwordCheck) authenticate(ctx context.Context) (*login, Reply) {
	srv, user := p.s.srv, p.credentials.User
	failed := events.Event{Kind: events.LoginFailed, User: user}
	if !p.secure && srv.needsTLS(user) {
		failed.Reply, failed.Cause = errLogin.Code, errPlainLogin.Error()
		p.s.emit(failed)
		return nil, errLogin
	}
	account, err := srv.supervisor.Authenticate(ctx, p.s.id, p.credentials)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, refuseLogin(err)
	}
	l, err := srv.openLogin(account, p.secure)
	rethrow(err)
	if err != nil {
		answer := refuseLogin(err)
		failed.Reply, failed.Cause = answer.Code, err.Error()
		p.s.emit(failed)
		return nil, answer
	}
	return l, Reply{}
}

// openLogin opens the files of an account, with the identity of its user. secure reports
// whether the password came over TLS.
func (srv *Server) openLogin(account *auth.Account, secure bool) (*login, error) {
	settings, err := srv.config.For(account.Name, account.Groups)
	if err != nil {
		return nil, err
	}
	if !secure && srv.required(settings.Settings) != config.RequireTLSOff {
		return nil, errPlainLogin
	}
	identity, err := srv.identity(account)
	if err != nil {
		return nil, err
	}
	l := &login{
		account:  account,
		settings: settings,
		rights:   settings.Rights(),
		limits:   limit.NewLogin(account.Name, settings.Settings),
	}
	root := account.Home
	if !settings.Confine {
		root = "/"
	}
	l.fs, err = vfs.Open(vfs.Options{
		Mounts:   append([]config.Mount{{Path: "/", Directory: root}}, settings.Mounts...),
		Identity: identity,
		Rights:   l.rights,
		Umask:    settings.Umask,
		Hide:     srv.config.Files.Hide,
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

var errPlainLogin = errors.New("require_tls: the password came without TLS")

var errNoThreads = errors.New("this server impersonates nobody")

// identity returns the identity under which the account's files are accessed; nil is the
// identity of the server.
func (srv *Server) identity(a *auth.Account) (*impersonate.Identity, error) {
	switch {
	case a.As == nil:
		return nil, nil
	case srv.threads == nil:
		return nil, fmt.Errorf("act as uid %d: %w", a.As.UID, errNoThreads)
	}
	return srv.threads.Identity(*a.As), nil
}

// welcome logs the user in.
func (s *Session) welcome(l *login) {
	if s.phase == phaseEnded {
		l.fs.Close()
		return
	}
	s.login = l
	// the failures stay: they count for the connection
	s.attempt.user, s.attempt.due = "", time.Time{}
	s.dir = "/"
	if start := l.start(); start != "/" && l.fs.ChangeDir(start) == nil {
		s.dir = start
	}
	s.emit(events.Event{Kind: events.Login, User: l.account.Name})
	if message := l.settings.LoginMessage; message != "" {
		s.say(ftpwire.Lines(230, message))
		return
	}
	s.say(reply(230, "Login successful."))
}

// start returns the working directory at the login.
func (l *login) start() string {
	switch {
	case l.settings.StartDirectory != "":
		return clean("/", l.settings.StartDirectory)
	case !l.settings.Confine:
		return clean("/", l.account.Home)
	}
	return "/"
}

// answerFailedLogin answers a failed login. ended is the reason why the check was ended, or nil; a
// client whose check was ended gets no reply about the password.
func (s *Session) answerFailedLogin(ended error, refusal Reply) {
	switch {
	case ended == errLoginTimeout:
		s.dismiss(errLoginTimeout)
		return
	case ended != nil: // the session ends as well, with its own reply
		return
	case refusal.Code == errBusy.Code: // the password was not checked
		s.dismiss(auth.ErrBusy)
		return
	}
	s.attempt.user = ""
	s.attempt.failures++
	s.say(refusal)
	if s.attempt.failures >= s.srv.config.Auth.MaxAttempts {
		s.end(errAttempts)
	}
}
