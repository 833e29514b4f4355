package core

import (
	"context"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/login"
	"ftpd/pkg/phase"
)

// A passwordCheck is the job of PASS.
type passwordCheck struct {
	s           *Session
	credentials auth.Credentials
	secure      bool      // the password came over TLS
	due         time.Time // the end of limits.login_timeout; zero if there is no limit
	refused     time.Time // a refusal is not sent earlier (auth.failure_delay)

	// run leaves the following for finish.
	login   *login.Login // nil after a refusal
	refusal Reply
	ended   error // why the check was ended before its result; nil if it was not
}

func (*passwordCheck) phase() phase.Phase { return phase.Exclusive }

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
func (p *passwordCheck) authenticate(ctx context.Context) (*login.Login, Reply) {
	defer clear(p.credentials.Password)
	srv, user := p.s.srv, p.credentials.User
	failed := events.Event{Kind: events.LoginFailed, User: user}
	if !p.secure && srv.logins.NeedsTLS(user) {
		failed.Reply, failed.Cause = errLogin.Code, login.ErrWithoutTLS.Error()
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
	l, err := srv.logins.Open(account, p.secure)
	impersonate.Rethrow(err)
	if err != nil {
		answer := refuseLogin(err)
		failed.Reply, failed.Cause = answer.Code, err.Error()
		p.s.emit(failed)
		return nil, answer
	}
	return l, Reply{}
}

// welcome logs the user in.
func (s *Session) welcome(l *login.Login) {
	if s.phase.Is(phase.Ended) {
		l.Files.Close()
		return
	}
	s.login = l
	// the failures stay: they count for the connection
	s.attempt.user, s.attempt.due = "", time.Time{}
	s.dir = l.StartDirectory()
	s.emit(events.Event{Kind: events.Login, User: l.Account.Name})
	if message := l.Settings.LoginMessage; message != "" {
		s.say(ftpwire.Lines(230, message))
		return
	}
	s.say(reply(230, "Login successful."))
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
