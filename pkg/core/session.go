package core

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ftpd/pkg/checksum"
	"ftpd/pkg/config"
	"ftpd/pkg/control"
	"ftpd/pkg/events"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/listing"
	"ftpd/pkg/login"
	"ftpd/pkg/phase"
	"ftpd/pkg/transfer"
	"ftpd/pkg/transport"
)

// A Session is one control connection with the server-PI behind it (RFC 959 §2.3).
//
// An idle session is parked: it holds no buffer, and all of its state is in this struct, none
// on a stack. burst is the only way from "bytes are there" to "parked again". A login or a
// transfer takes long, so it runs as a job beside the session; the lines after it wait.
type Session struct {
	srv     *Server                 // immutable
	conn    transport.Conn          // the control connection; serve reads it, the turn writes it
	id      string                  // immutable after the admission
	started time.Time               // immutable
	cancel  context.CancelCauseFunc // ends all work of the session; immutable

	// QUIT was answered: no later line counts, and the session ends when no job runs.
	quitAnswered atomic.Bool
	// The session was ended from outside its turn: its phase becomes Ended in its next turn in
	// which no job runs.
	wasCut atomic.Bool

	shared sharedView

	turn sync.Mutex // held while lines run; guards the fields below

	phase phase.Machine[activeJob]
	cause error // why the session has ended; nil after QUIT
	// record is that of the last upload, which was answered 226. It is emitted when the client's
	// host has acknowledged the 226, when the next job begins or the login ends, or after
	// transfer.Waits.Record.
	record *transfer.Record
	// Everything that the client has sent was read, up to its end. Without a job the session ends.
	// A handshake fails. An exclusive job keeps the session if lines wait for its end. A download is
	// aborted, unless QUIT was answered. An upload continues.
	readClosed bool
	ctl        control.Conn
	clock      control.Clock

	host    *config.Host // chosen by the client; nil: none
	client  string       // the text of CLNT, cut to maxClient
	tls     tlsState
	attempt loginAttempt
	login   *login.Login // nil before the login
	dir     string       // working directory, an absolute FTP path
	rename  string       // RNFR's path, for an RNTO that follows at once; "" if there is none
	params  transferParams
}

// These causes end a session; the client reads the text as a 421.
var (
	errLoginTimeout = errors.New("login timeout")
	errIdle         = errors.New("idle timeout")
	errFlood        = errors.New("too many commands in a second")
	errShutdown     = errors.New("server is shutting down")
	errInside       = errors.New("internal error")
)

// These causes end a session without a reply.
var (
	errGone     = transfer.ErrGone
	errNotFTP   = errors.New("client does not speak FTP")
	errAttempts = errors.New("too many failed logins")
)

// serve runs a session from its 220 to its end. An idle session waits in this goroutine.
func (s *Session) serve(ctx context.Context) {
	open := s.greet(ctx)
	for open {
		buf, err := s.conn.Await(&s.srv.buffers)
		var held <-chan struct{}
		held, open = s.burst(ctx, buf, err)
		s.srv.buffers.Put(buf)
		for held != nil { // the next job may hold the session as well
			<-held
			held, open = s.inTurn(ctx, func() {})
		}
	}
	s.close(ctx)
}

// greet replies 220, over TLS if the connection begins with TLS.
func (s *Session) greet(ctx context.Context) bool {
	_, open := s.inTurn(ctx, func() {
		if s.tls.implicit {
			s.startTLS(ctx)
			return
		}
		s.say(s.banner())
	})
	return open
}

// burst handles the result of Await and parks the session again. If held is not nil, nothing
// more is read until held is closed.
func (s *Session) burst(
	ctx context.Context, in *transport.Buffer, err error,
) (held <-chan struct{}, open bool) {
	return s.inTurn(ctx, func() {
		switch {
		case s.phase.Is(phase.Ended):
		case err == nil:
			s.clock.Active = time.Now()
			s.record.Confirm()
			s.take(ctx, in.Data)
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.expire()
		default:
			s.hungUp(err)
		}
	})
}

// inTurn runs act in the session's turn, writes the replies of act, and leaves the session
// parked. A panic ends this session alone.
func (s *Session) inTurn(ctx context.Context, act func()) (held <-chan struct{}, open bool) {
	s.turn.Lock()
	defer s.turn.Unlock()
	func() {
		defer func() {
			if v := recover(); v != nil {
				s.failed(v)
			}
		}()
		act()
	}()
	s.settle(ctx)
	s.flush()
	s.publish()
	return s.park(ctx)
}

// settle ends a session that has nothing left to do.
func (s *Session) settle(ctx context.Context) {
	switch {
	case s.phase.Running() != nil || s.phase.Is(phase.Ended):
	case ctx.Err() != nil:
		s.dismiss(context.Cause(ctx))
	case s.quitAnswered.Load():
		s.end(nil)
	case s.srv.sessions.IsDraining():
		s.dismiss(errShutdown)
	}
}

// park sets the read deadline. At the deadline, expire compares the clock with due.
func (s *Session) park(ctx context.Context) (held <-chan struct{}, open bool) {
	switch {
	case s.phase.Is(phase.Ended):
		return nil, false
	case s.phase.Running() != nil && (s.readClosed || s.ctl.Ahead() >= control.MaxAhead):
		if s.unattended() && s.srv.sessions.IsDraining() {
			s.cut(errShutdown)
		}
		return s.phase.Running().done, true
	}
	s.clock.Arm(s.conn, s.due())
	if s.phase.Running() == nil && (ctx.Err() != nil || s.srv.sessions.IsDraining()) {
		s.wake() // the request may have come before the deadline was set
	}
	return nil, true
}

// due returns the time at which the session times out; zero is never. A job has its own clock,
// and the session's clock stands still meanwhile.
func (s *Session) due() time.Time {
	if s.phase.Running() != nil {
		return s.clock.Due(time.Time{})
	}
	return s.clock.Due(s.attempt.due)
}

// expire ends a session whose time is over. A deadline also passes because the client was
// active after it was set, because a job runs, or because of wake.
func (s *Session) expire() {
	s.clock.Disarm(s.conn)
	now, due := time.Now(), s.due()
	switch {
	case s.phase.Is(phase.Handshake) && s.srv.sessions.IsDraining():
		s.ctl.TLS.Abort(errShutdown)
	case due.IsZero() || now.Before(due):
	case s.phase.Running() != nil:
		s.clock.Active = now
	case due.Equal(s.attempt.due):
		s.dismiss(errLoginTimeout)
	default:
		s.dismiss(errIdle)
	}
}

// wake makes the wait for the client return at once.
func (s *Session) wake() { s.conn.SetReadDeadline(transport.PastDeadline) }

// hungUp ends a session whose client is gone. A client that has sent all its lines and closed
// its side (a script through netcat) is not gone while the lines wait for its login. A client
// that has sent QUIT need not wait for the end of its transfer (RFC 959 §4.1.1). Without QUIT
// a download is aborted, as by ABOR (ibid.); a client that closed only one direction reads the
// reply. An upload goes on.
func (s *Session) hungUp(err error) {
	s.record.Emit(err)
	j, t := s.transferring()
	if t != nil && !s.readClosed {
		t.ControlEnded(err)
	}
	switch {
	case s.phase.Is(phase.Handshake):
		s.ctl.TLS.Abort(err) // behind the bytes that have arrived: they may name the cause
	case t != nil && s.quitAnswered.Load():
	case s.unattended():
		t.Continue(j.cancel)
	case err != io.EOF:
		s.end(err)
	case t != nil:
		j.cancel(errGone)
	case !s.phase.Is(phase.Exclusive) || !s.ctl.HasWaiting():
		s.end(errGone)
	}
	s.readClosed = true
}

func (s *Session) uploading() bool {
	_, t := s.transferring()
	return t != nil && t.incoming
}

// unattended reports whether an upload goes on without its control connection.
func (s *Session) unattended() bool {
	_, t := s.transferring()
	return t != nil && t.Lost() != nil
}

// end stops the session, because of cause; nil is a QUIT. Session.close releases what the session
// holds when its jobs have ended.
func (s *Session) end(cause error) {
	s.flush()
	if s.phase.End() {
		s.cause = cause
		s.ctl.Clear()
		s.cancel(cause)
		s.wake()
	}
}

// dismiss replies 421 with the cause, and ends the session.
func (s *Session) dismiss(cause error) {
	s.say(reply(421, "Closing the control connection: %s.", cause))
	s.end(cause)
}

// failed reports a panic and ends the session.
func (s *Session) failed(v any) {
	s.emit(events.Event{Kind: events.Panic, Cause: impersonate.PanicReport(v)})
	s.dismiss(errInside)
}

// close releases all that the session holds. Its jobs have been cancelled before.
func (s *Session) close(ctx context.Context) {
	s.turn.Lock()
	for j := s.phase.Running(); j != nil; j = s.phase.Running() {
		s.turn.Unlock()
		<-j.done
		s.turn.Lock()
	}
	defer s.turn.Unlock()
	s.record.Emit(nil) // unless the record's timer calls Emit just now
	s.ctl.Finish(lastWord)
	s.logout()
	e := events.Event{Kind: events.Disconnect, Took: time.Since(s.started)}
	if s.cause != nil {
		e.Cause = s.cause.Error()
	}
	s.emit(e)
}

// logout removes the user and the user's state (RFC 959 §4.1.1, REIN). A transfer that runs
// comes to its end, beside the next login. The time limit for the next login begins.
func (s *Session) logout() {
	s.reset()
	if s.login == nil {
		return
	}
	s.startLoginClock()
	s.record.Emit(nil) // the record is this user's
	e := events.Event{Kind: events.Logout}
	if j := s.phase.Job(); j == nil {
		s.login.Files.Close()
	} else {
		j.files = s.login.Files
		e.Former = true
		if t, ok := j.job.(*transferJob); ok && !t.IsRecorded() {
			e.Verb = t.verb
		}
		s.phase.Detach()
	}
	s.emit(e)
	s.login, s.tls.sized, s.tls.private = nil, s.tls.implicit, s.tls.implicit
}

// reset gives the parameters the values that they have at the start of a session.
func (s *Session) reset() {
	s.dropOpener()
	s.attempt.user, s.dir, s.rename = "", "", ""
	s.params = transferParams{
		facts: listing.DefaultFacts, algorithm: checksum.Default(), farewell: s.params.farewell,
	}
	s.clock.Idle = time.Duration(s.srv.config.Limits.IdleTimeout)
}

func (s *Session) startLoginClock() {
	if limit := time.Duration(s.srv.config.Limits.LoginTimeout); limit > 0 {
		s.attempt.due = time.Now().Add(limit)
	}
}

func (s *Session) emit(e events.Event) {
	e.Session = s.id
	s.srv.supervisor.Emit(e)
}
