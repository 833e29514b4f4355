package core

import (
	"bytes"
	"context"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/ftpwire"
)

var (
	errNoUser   = reply(503, "Log in with USER first.")
	errLoggedIn = reply(503, "You are logged in already.")
	errLogin    = reply(530, "Login incorrect.")
)

// userName begins a login (RFC 959 §4.1.1). The reply is the same for every name, so that it
// does not reveal which accounts exist. A user who was logged in is logged out.
func (s *Session) userName(_ context.Context, arg string) (Reply, error) {
	if s.ctl.TLS == nil && s.srv.logins.AllNeedTLS() {
		return Reply{}, errLoginTLS
	}
	if s.login != nil { // without a login, the choices of OPTS stay
		s.logout()
	}
	s.attempt.user = arg
	return reply(331, "Password required."), nil
}

// rein starts the session anew (RFC 959 §4.1.1), for the next user; a transfer that runs comes
// to its end.
func (s *Session) rein(context.Context, string) (Reply, error) {
	s.logout()
	s.host = nil // RFC 7151 §3.2
	return reply(230, "Ready for a new user."), nil
}

// quit ends the session (RFC 959 §4.1.1). A transfer that runs comes to its end first, and the
// lines that were sent before QUIT run first.
func (s *Session) quit(context.Context, string) (Reply, error) {
	s.quitAnswered.Store(true)
	if s.login != nil && s.login.Settings.QuitMessage != "" {
		return ftpwire.Lines(221, s.login.Settings.QuitMessage), nil
	}
	return reply(221, "Goodbye."), nil
}

// pass checks the password (RFC 959 §4.1.1). The check is a job beside the session, so that it
// ends if the client leaves meanwhile.
func (s *Session) pass(ctx context.Context, _ string) (Reply, error) {
	switch {
	case s.login != nil:
		return Reply{}, errLoggedIn
	case s.attempt.user == "":
		return Reply{}, errNoUser
	}
	if s.phase.Former() != nil {
		s.startLoginClock() // the login clock stands still while a transfer runs
	}
	s.start(ctx, &passwordCheck{
		s: s,
		credentials: auth.Credentials{
			User: s.attempt.user, Password: bytes.Clone(s.attempt.password),
			Remote: s.conn.Remote().Addr(),
		},
		secure:  s.ctl.TLS != nil,
		due:     s.attempt.due,
		refused: time.Now().Add(time.Duration(s.srv.config.Auth.FailureDelay)),
	})
	return Reply{}, nil // the job answers
}
