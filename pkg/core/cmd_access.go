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

var (
	errNoUser   = reply(503, "Log in with USER first.")
	errLoggedIn = reply(503, "You are logged in already.")
	errLogin    = reply(530, "Login incorrect.")
)

// userName begins a login (RFC 959 §4.1.1). The answer is the same for every name, so that it tells nobody who exists. Whoever was
// logged in is not any more.
func (s *Session) userName(_ context.Context, arg string) (Reply, error) {
	if s.tls == nil && s.srv.tlsOnly {
		return Reply{}, errLoginTLS
	}
	if s.login != nil { // what OPTS has chosen before the login stays
		s.logout()
	}
	s.user = arg
	return reply(331, "Password required."), nil
}

// rein starts the session anew (RFC 959 §4.1.1), for who comes next; a transfer that runs comes to its end.
func (s *Session) rein(context.Context, string) (Reply, error) {
	s.logout()
	s.host = nil // RFC 7151 §3.2
	return reply(230, "Ready for a new user."), nil
}

// quit ends the session (RFC 959 §4.1.1). A transfer that runs comes to its end first, and so do the lines that were sent before.
func (s *Session) quit(context.Context, string) (Reply, error) {
	s.leaving.Store(true)
	if s.login != nil && s.login.settings.QuitMessage != "" {
		return ftpwire.Lines(221, s.login.settings.QuitMessage), nil
	}
	return reply(221, "Goodbye."), nil
}

// pass checks the password (RFC 959 §4.1.1). The check is a job beside the session, so that a client that leaves meanwhile ends it.
func (s *Session) pass(ctx context.Context, password string) (Reply, error) {
	switch {
	case s.login != nil:
		return Reply{}, errLoggedIn
	case s.user == "":
		return Reply{}, errNoUser
	}
	c := auth.Credentials{User: s.user, Password: auth.Password(password), Remote: s.conn.Remote().Addr()}
	if s.former != nil {
		s.startLoginClock() // it stands still while a transfer runs
	}
	due := s.loginBy
	refused := time.Now().Add(time.Duration(s.srv.config.Auth.FailureDelay))
	s.start(ctx, false, func(ctx context.Context) func() {
		if !due.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadlineCause(ctx, due, errLoginTimeout)
			defer cancel()
		}
		l, refusal := s.authenticate(ctx, c)
		if l != nil {
			return func() { s.welcome(l) }
		}
		sleep(ctx, time.Until(refused))
		ended := context.Cause(ctx)
		return func() { s.turnAway(ended, refusal) }
	})
	return Reply{}, nil // the job answers
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

// authenticate asks whether the client may come in, and opens what the user will see. Nil is no, with what to answer; the log then has
// the cause, from the supervisor where that refused.
func (s *Session) authenticate(ctx context.Context, c auth.Credentials) (*login, Reply) {
	if s.tls == nil && s.srv.needsTLS(c.User) {
		s.emit(events.Event{Kind: events.LoginFailed, User: c.User, Reply: errLogin.Code, Cause: errPlainLogin.Error()})
		return nil, errLogin
	}
	account, err := s.srv.supervisor.Authenticate(ctx, s.id, c)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, refuseLogin(err)
	}
	l, err := s.open(account)
	rethrow(err)
	if err != nil {
		answer := refuseLogin(err)
		s.emit(events.Event{Kind: events.LoginFailed, User: c.User, Reply: answer.Code, Cause: err.Error()})
		return nil, answer
	}
	return l, Reply{}
}

// open opens what the user will see, as the user.
func (s *Session) open(account *auth.Account) (*login, error) {
	settings, err := s.srv.config.For(account.Name, account.Groups)
	if err != nil {
		return nil, err
	}
	if s.tls == nil && s.srv.required(settings.Settings) != config.RequireTLSOff {
		return nil, errPlainLogin
	}
	identity, err := s.srv.identity(account)
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
		Hide:     s.srv.config.Files.Hide,
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

var errPlainLogin = errors.New("require_tls: the password came without TLS")

var errNoThreads = errors.New("this server impersonates nobody")

// identity is whose rights the account's file access has; nil is the server's own.
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
	if s.ended {
		l.fs.Close()
		return
	}
	s.login, s.user, s.loginBy = l, "", time.Time{} // failures stay: they are counted for the connection
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

// start is the working directory at the login.
func (l *login) start() string {
	switch {
	case l.settings.StartDirectory != "":
		return clean("/", l.settings.StartDirectory)
	case !l.settings.Confine:
		return clean("/", l.account.Home)
	}
	return "/"
}

// turnAway answers a failed login. One that was ended (nil: it was not) is not told that it failed.
func (s *Session) turnAway(ended error, refusal Reply) {
	switch {
	case ended == errLoginTimeout:
		s.dismiss(errLoginTimeout)
		return
	case ended != nil: // the session ends, too, and says why
		return
	case refusal.Code == errBusy.Code: // it says nothing about the password
		s.dismiss(auth.ErrBusy)
		return
	}
	s.user = ""
	s.failures++
	s.say(refusal)
	if s.failures >= s.srv.config.Auth.MaxAttempts {
		s.end(errAttempts)
	}
}
