package core

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"ftpd/pkg/events"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/login"
	"ftpd/pkg/phase"
)

// take handles bytes from the client. p is part of a buffer that is used again, so bytes that
// are kept must be copied.
func (s *Session) take(ctx context.Context, p []byte) {
	if s.quitAnswered.Load() {
		return
	}
	if s.ctl.TLS != nil {
		s.decrypt(ctx, p)
		return
	}
	if s.phase.Is(phase.New) && p[0] == tlsHandshake {
		s.end(errNotFTP)
		return
	}
	s.phase.Received()
	s.takeText(ctx, p)
}

// takeText handles bytes that are no longer encrypted.
func (s *Session) takeText(ctx context.Context, p []byte) {
	defer clear(p) // it may hold a password
	p = s.ctl.Filter(p)
	defer clear(p) // Filter may have copied it
	if s.floods(p) {
		s.emit(events.Event{Kind: events.Flood, Reply: 421})
		s.dismiss(errFlood)
		return
	}
	s.proceed(ctx, p)
}

// tlsHandshake is the first byte of the TLS record that opens a connection. No FTP command
// begins with it.
const tlsHandshake = 22

// proceed runs the lines that are due, and those of p behind them. Nothing after a QUIT counts.
func (s *Session) proceed(ctx context.Context, p []byte) {
	s.ctl.Run(p, s.waits, func(line []byte) bool { return s.execute(ctx, line) })
	if s.phase.Is(phase.Ended) {
		s.ctl.Drop()
	}
}

// waits reports whether a line has to wait for a job's end, because of the job or because
// earlier lines wait. A line runs under the login that the lines before it have made, so a
// command that changes the login waits behind them. Beside the transfer of a user who has
// logged out every command runs, except one that would start a second transfer.
func (s *Session) waits(line []byte, behind bool) bool {
	if s.phase.Running() == nil {
		return false
	}
	cmd, arg := s.srv.commands.Lookup(line)
	switch {
	case s.phase.Is(phase.Exclusive) || s.phase.Is(phase.Handshake):
		return true
	case s.phase.Is(phase.Concurrent) || behind:
		return cmd == nil || !cmd.now(arg) || cmd.access && behind
	case cmd == nil || !cmd.long && !cmd.data:
		return false
	}
	_, err := s.check(cmd, line, string(arg))
	return err == nil
}

// execute runs one line and answers it. If it returns false, nothing after the line counts.
func (s *Session) execute(ctx context.Context, line []byte) (more bool) {
	cmd, rest := s.srv.commands.Lookup(line)
	arg := ""
	switch {
	case cmd == nil: // a misspelt PASS, maybe
	case cmd.secret:
		s.attempt.password = rest // no string, which could not be cleared
		defer func() { s.attempt.password = nil }()
	default:
		arg = string(rest)
	}
	s.trace(cmd, line, arg)
	if cmd == nil && s.login == nil && bytes.Contains(line, []byte(" HTTP/")) {
		s.end(errNotFTP)
		return false
	}
	path, stays, user := "", !s.quitAnswered.Load(), s.login
	if cmd != nil && cmd.path && user != nil {
		path = s.abs(cmd.pathname(arg))
	}
	r, err := s.check(cmd, line, arg)
	if err == nil {
		r, err = cmd.run(s, ctx, arg)
	}
	if err != nil {
		impersonate.Rethrow(err)
		r = refuse(err)
	}
	if user != nil && cmd != nil {
		s.report(cmd, path, r, s.login)
	}
	s.say(r)
	if cmd == nil || cmd.verb != "RNFR" || r.IsRefusal() {
		s.rename = "" // RNTO has to follow at once
	}
	if cmd == nil {
		return !s.phase.Is(phase.Ended)
	}
	if cmd.data && r.IsRefusal() && s.params.opener != nil {
		s.flush() // before the data connection may end: its end is no answer for a client
		s.params.opener.Refuse(s.tls.private)
	}
	return !s.phase.Is(phase.Ended) && !(stays && s.quitAnswered.Load()) && !s.phase.Is(phase.Handshake)
}

// floods counts the commands that have arrived, and reports whether the client sends too many
// in a second (ban.commands_per_second).
func (s *Session) floods(p []byte) bool {
	ban, client := &s.srv.config.Ban, s.conn.Remote().Addr()
	return ban.CommandsPerSecond > 0 && !ban.Exempt.Contains(client) &&
		s.srv.arriving.Add(client, bytes.Count(p, []byte{'\n'})) > ban.CommandsPerSecond
}

// check refuses a line by the command table alone, in the order of pyftpdlib: unknown, arguments,
// login.
func (s *Session) check(cmd *command, line []byte, arg string) (Reply, error) {
	switch {
	case len(line) > ftpwire.MaxLine:
		return Reply{}, errTooLong
	case bytes.IndexByte(line, 0) >= 0:
		return Reply{}, errNUL
	case cmd == nil:
		return Reply{}, errUnknown
	case cmd.run == nil:
		return Reply{}, errAbsent
	case cmd.arg == needArg && arg == "":
		return Reply{}, errNoArg
	case cmd.arg == noArg && trimBlanks(arg) != "":
		return Reply{}, errArg
	case cmd.login && s.login == nil:
		return Reply{}, errNeedLogin
	case cmd.data && !s.tls.private && s.mustProtect():
		return Reply{}, errUnsafe
	}
	return Reply{}, nil
}

// report emits the event of a command that has changed something or was refused. Refusals
// before the login are not reported, because bots cause many of them, and failed logins have
// their own event. of is the login under which the command ran.
func (s *Session) report(cmd *command, path string, r Reply, of *login.Login) {
	if cmd.run == nil || !cmd.log && !r.IsRefusal() && r.Cause == nil {
		return
	}
	e := events.Event{
		Kind: events.Command, Verb: cmd.verb, Path: path, Reply: r.Code, Former: of != s.login,
	}
	if cmd.verb == "RNTO" {
		e.Path, e.To = s.rename, path
	}
	if r.IsRefusal() || r.Cause != nil {
		e.Cause = r.Reason()
	}
	s.emit(e)
}

// trace logs each line if the log level is debug. A password is never logged, nor a line that
// may contain a password behind a misspelt PASS.
func (s *Session) trace(cmd *command, line []byte, arg string) {
	if !s.srv.debug {
		return
	}
	e := events.Event{Kind: events.Line}
	switch {
	case cmd != nil && !cmd.secret:
		e.Verb, e.Path = cmd.verb, arg
	case cmd != nil:
		e.Verb, e.Path = cmd.verb, "***"
	case s.attempt.user != "" && s.login == nil:
		e.Verb = "***"
	default:
		e.Path = string(line)
	}
	s.emit(e)
}

// say adds a reply to the output that the next flush writes.
func (s *Session) say(r Reply) {
	if s.phase.Is(phase.Ended) || r.Code == 0 {
		return
	}
	if s.srv.debug {
		s.emit(events.Event{Kind: events.Line, Reply: r.Code, Cause: r.Text[0]})
	}
	s.ctl.Add(r, s.flush)
}

// flush writes the replies that say has added. A client that does not read its replies within
// the idle timeout is gone. The result reports whether more can be sent.
func (s *Session) flush() (open bool) {
	if !s.ctl.HasReplies() {
		return !s.phase.Is(phase.Ended)
	}
	s.limitWrite()
	err := s.ctl.Flush()
	switch {
	case err == nil || s.quitAnswered.Load(): // after QUIT the client may be gone
	case s.uploading() && !errors.Is(err, os.ErrDeadlineExceeded): // hungUp decides
	case s.readClosed:
		s.end(errGone)
	default:
		s.end(err)
	}
	return !s.phase.Is(phase.Ended)
}

// limitWrite bounds the time in which the client has to read the next replies.
func (s *Session) limitWrite() {
	limit := s.clock.Idle
	if s.srv.sessions.IsDraining() || s.wasCut.Load() {
		limit = lastWord
	}
	if limit > 0 {
		s.conn.SetWriteDeadline(time.Now().Add(limit))
	}
}
