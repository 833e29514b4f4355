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
	"ftpd/pkg/events"
	"ftpd/pkg/listing"
	"ftpd/pkg/login"
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

	quitAnswered atomic.Bool // see phase
	wasCut       atomic.Bool // see phase

	shared sharedView

	turn sync.Mutex // held while lines run; guards the fields below

	phase      phase
	cause      error            // why the session has ended; nil after QUIT
	job        *activeJob       // of the present login; see phase
	former     *activeJob       // of an earlier login; see phase
	record     *transfer.Record // of the last upload; nil if there is none; see phase
	readClosed bool             // see phase
	ctl        controlBuffers
	clock      sessionClock

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
		case s.phase == phaseEnded:
		case err == nil:
			s.clock.active = time.Now()
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
	case s.running() != nil || s.phase == phaseEnded:
	case ctx.Err() != nil:
		s.dismiss(context.Cause(ctx))
	case s.quitAnswered.Load():
		s.end(nil)
	case s.srv.draining.Load():
		s.dismiss(errShutdown)
	}
}

// maxAhead bounds the lines that wait for a job's end. Beyond maxAhead the client is not read,
// as if the lines had run.
const maxAhead = 16 << 10

// park sets the read deadline. The deadline moves only when it has passed, not for each
// command; expire then compares the clock with due.
func (s *Session) park(ctx context.Context) (held <-chan struct{}, open bool) {
	switch {
	case s.phase == phaseEnded:
		return nil, false
	case s.running() != nil && (s.readClosed || len(s.ctl.ahead) >= maxAhead):
		if s.unattended() && s.srv.draining.Load() {
			s.cut(errShutdown)
		}
		return s.running().done, true
	}
	if due := s.due(); !due.IsZero() &&
		(s.clock.deadline.IsZero() || due.Before(s.clock.deadline)) {
		s.clock.deadline = due
		s.conn.SetReadDeadline(due)
	}
	if s.running() == nil && (ctx.Err() != nil || s.srv.draining.Load()) {
		s.wake() // the request may have come before the deadline was set
	}
	return nil, true
}

// due returns the time at which the session times out; zero is never. A job has its own clock,
// and the session's clock stands still meanwhile.
func (s *Session) due() time.Time {
	var due time.Time
	if s.running() == nil {
		due = s.attempt.due
	}
	if s.clock.idle > 0 {
		if t := s.clock.active.Add(s.clock.idle); due.IsZero() || t.Before(due) {
			due = t
		}
	}
	return due
}

// expire ends a session whose time is over. A deadline also passes because the client was
// active after it was set, because a job runs, or because of wake.
func (s *Session) expire() {
	s.clock.deadline = time.Time{}
	s.conn.SetReadDeadline(s.clock.deadline)
	now, due := time.Now(), s.due()
	switch {
	case s.phase == phaseHandshake && s.srv.draining.Load():
		s.tls.control.Abort(errShutdown)
	case due.IsZero() || now.Before(due):
	case s.running() != nil:
		s.clock.active = now
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
	case s.phase == phaseHandshake:
		s.tls.control.Abort(err) // behind the bytes that have arrived: they may name the cause
	case t != nil && s.quitAnswered.Load():
	case s.unattended():
		t.Continue(j.cancel)
	case err != io.EOF:
		s.end(err)
	case t != nil:
		j.cancel(errGone)
	case s.phase != phaseExclusive || s.ctl.waiting == 0:
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

// dismiss replies 421 with the cause, and ends the session.
func (s *Session) dismiss(cause error) {
	s.say(reply(421, "Closing the control connection: %s.", cause))
	s.end(cause)
}

// failed reports a panic and ends the session.
func (s *Session) failed(v any) {
	s.emit(events.Event{Kind: events.Panic, Cause: panicReport(v)})
	s.dismiss(errInside)
}

// close releases all that the session holds. Its jobs have been cancelled before.
func (s *Session) close(ctx context.Context) {
	s.turn.Lock()
	for j := s.running(); j != nil; j = s.running() {
		s.turn.Unlock()
		<-j.done
		s.turn.Lock()
	}
	defer s.turn.Unlock()
	s.record.Emit(nil) // unless the record's timer calls Emit just now
	s.finish()
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
	if s.job == nil {
		s.login.Files.Close()
	} else {
		s.job.files = s.login.Files
		e.Former = true
		if t, ok := s.job.job.(*transferJob); ok && !t.recorded {
			e.Verb = t.verb
		}
		s.detach()
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
	s.clock.idle = time.Duration(s.srv.config.Limits.IdleTimeout)
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
