package core

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/limit"
	"ftpd/pkg/listing"
	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
)

// A Session is one control connection with the server-PI behind it (RFC 959 §2.3).
//
// It is parked while nothing happens: it holds no buffer then, and all of its state is in here, none on a stack. burst is the only way
// from "bytes are there" to "parked again". What takes long (a login, a transfer) is a job beside it; the lines after it wait.
type Session struct {
	srv      *Server                 // immutable
	conn     transport.Conn          // the control connection; serve reads it, whoever has the turn writes it
	id       string                  // immutable after the admission
	implicit bool                    // TLS begins with the connection; immutable
	started  time.Time               // immutable
	cancel   context.CancelCauseFunc // ends everything that runs for the session; immutable

	leaving atomic.Bool // QUIT was answered; the session ends with its job
	hurried atomic.Bool // cut was called

	seen sync.Mutex
	view view // guarded by seen

	turn sync.Mutex // held while lines run; guards all that follows

	in      ftpwire.Input
	ahead   []byte            // was read and not run: a part of a line, or lines that wait for the job's end
	waiting int               // so many bytes of ahead are lines that wait
	out     *transport.Buffer // replies that are not written yet; nil when there are none
	job     *job              // the login or the transfer under way
	former  *job              // a transfer of a user who has logged out since; beside it, job is a login or nil
	doubt   *doubt            // about the last upload; nil when there is none
	heard   bool              // a byte has come from the client
	deaf    bool              // the client has closed its side, and all before it was read
	ended   bool              // nothing more is read or said
	cause   error             // why it ended; nil after QUIT

	deadline time.Time // the read deadline in force; zero when none is
	active   time.Time // of the last line, or the last job's end
	loginBy  time.Time // zero when somebody is logged in, or may take his time

	user      string        // what USER named
	failures  int           // of logins
	login     *login        // nil before it
	dir       string        // working directory, an absolute FTP path
	chosen    dataType      // by TYPE
	opener    dtp.Opener    // what PASV or PORT prepared; nil once used
	farewell  dtp.Farewell  // to the client of an upload that was refused after its 150
	epsvOnly  bool          // after EPSV ALL (RFC 2428 §4)
	restart   int64         // REST marker for the next transfer only
	announced int64         // bytes of the next upload, by ALLO; 0: not known
	rename    string        // RNFR's path, for a RNTO that follows at once; "" when there is none
	facts     listing.Facts // of MLST and MLSD, by OPTS
	client    string        // what CLNT named, cut to maxClient

	algorithm *algorithm    // of HASH
	idle      time.Duration // how long the session may be idle; 0 is for ever

	host    *config.Host   // that the client has chosen; nil: none
	tls     *secureControl // nil before TLS has begun
	sized   bool           // PBSZ was said
	private bool           // PROT P: data connections use TLS
	binding binding        // of tls; "" before AUTH
}

// A login is what a session has while a user is logged in.
type login struct {
	account  *auth.Account
	settings config.Effective
	rights   config.Rights
	fs       *vfs.FS
	limits   limit.Login
}

// A job is what goes on beside a session's turn.
type job struct {
	during   bool                    // commands marked so in the table run meanwhile
	cancel   context.CancelCauseFunc // ends the job alone; the session goes on
	transfer *transfer               // nil: something else
	hash     *hashing                // likewise
	aborts   int                     // so many ABORs wait for the job's end
	left     *vfs.FS                 // of a user who logged out meanwhile: the job may need it
	done     chan struct{}           // closed when the job has ended and the lines that waited for it have run
}

// These end a session; the client reads the text as a 421.
var (
	errLoginTimeout = errors.New("login timeout")
	errIdle         = errors.New("idle timeout")
	errFlood        = errors.New("too many commands in a second")
	errShutdown     = errors.New("server is shutting down")
	errInside       = errors.New("internal error")
)

// These end it without a word.
var (
	errGone     = errors.New("client closed the control connection")
	errNotFTP   = errors.New("client does not speak FTP")
	errAttempts = errors.New("too many failed logins")
)

// serve runs a session from its 220 to its end. This is the goroutine in which an idle session waits.
func (s *Session) serve(ctx context.Context) {
	open := s.greet(ctx)
	for open {
		buf, err := s.conn.Await(&s.srv.buffers)
		var held <-chan struct{}
		held, open = s.burst(ctx, buf, err)
		s.srv.buffers.Put(buf)
		for held != nil { // the next job may hold it as well
			<-held
			held, open = s.inTurn(ctx, func() {})
		}
	}
	s.close(ctx)
}

// greet says 220, over TLS where that begins with the connection.
func (s *Session) greet(ctx context.Context) bool {
	_, open := s.inTurn(ctx, func() {
		if s.implicit {
			s.startTLS(ctx)
			return
		}
		s.say(s.banner())
	})
	return open
}

// burst handles what Await brought and parks the session again. When held is not nil, nothing more is read until it is closed.
func (s *Session) burst(ctx context.Context, in *transport.Buffer, err error) (held <-chan struct{}, open bool) {
	return s.inTurn(ctx, func() {
		switch {
		case s.ended:
		case err == nil:
			s.active = time.Now()
			s.hears()
			s.take(ctx, in.Data)
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.expire()
		default:
			s.hungUp(err)
		}
	})
}

// inTurn runs act in the session's turn, writes what it has said, and leaves the session parked. A panic ends this session alone.
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
	case s.running() != nil || s.ended:
	case ctx.Err() != nil:
		s.dismiss(context.Cause(ctx))
	case s.leaving.Load():
		s.end(nil)
	case s.srv.draining.Load():
		s.dismiss(errShutdown)
	}
}

// maxAhead bounds the lines that wait for a job's end. Beyond it the client is not read, as if the lines had run.
const maxAhead = 16 << 10

// park arms the read deadline. It moves only when it has passed, not for each command: whoever wakes by it looks at the clock.
func (s *Session) park(ctx context.Context) (held <-chan struct{}, open bool) {
	switch {
	case s.ended:
		return nil, false
	case s.running() != nil && (s.deaf || len(s.ahead) >= maxAhead):
		if s.unattended() && s.srv.draining.Load() {
			s.cut(errShutdown)
		}
		return s.running().done, true
	}
	if due := s.due(); !due.IsZero() && (s.deadline.IsZero() || due.Before(s.deadline)) {
		s.deadline = due
		s.conn.SetReadDeadline(due)
	}
	if s.running() == nil && (ctx.Err() != nil || s.srv.draining.Load()) {
		s.wake() // whoever asked may have done so before the deadline was set
	}
	return nil, true
}

// due is when the session's patience ends; zero is never. A job has a clock of its own, and the session's stands still meanwhile.
func (s *Session) due() time.Time {
	var due time.Time
	if s.running() == nil {
		due = s.loginBy
	}
	if s.idle > 0 {
		if t := s.active.Add(s.idle); due.IsZero() || t.Before(due) {
			due = t
		}
	}
	return due
}

// expire ends a session whose time is over. A deadline also passes because the client was active after it was set, because a job
// runs, or because of wake.
func (s *Session) expire() {
	s.deadline = time.Time{}
	s.conn.SetReadDeadline(s.deadline)
	now, due := time.Now(), s.due()
	switch {
	case s.handshaking() && s.srv.draining.Load():
		s.tls.wire.end(errShutdown)
	case due.IsZero() || now.Before(due):
	case s.running() != nil:
		s.active = now
	case due.Equal(s.loginBy):
		s.dismiss(errLoginTimeout)
	default:
		s.dismiss(errIdle)
	}
}

// wake makes the wait for the client return at once.
func (s *Session) wake() { s.conn.SetReadDeadline(transport.PastDeadline) }

// hungUp ends a session whose client is gone. A client that has sent all its lines and closed its side (a script through netcat) is
// not gone while they wait for its login, and one that has said QUIT need not wait for the end of its transfer (RFC 959 §4.1.1). Without
// QUIT a download is aborted, as by ABOR (ibid.): where only one direction was closed, the client reads that. An upload goes on.
func (s *Session) hungUp(err error) {
	s.decide(err)
	moving := s.transferring()
	if moving != nil && !s.deaf {
		moving.transfer.hearsNoMore(err)
	}
	switch {
	case s.handshaking():
		s.tls.wire.end(err) // behind what has arrived, which may tell why
	case moving != nil && s.leaving.Load():
	case s.unattended():
		moving.goOn()
	case err != io.EOF:
		s.end(err)
	case moving != nil:
		moving.cancel(errGone)
	case s.job == nil || s.job.during || s.waiting == 0:
		s.end(errGone)
	}
	s.deaf = true
}

// running is a job that is under way, that of the user who is logged in first; nil when there is none.
func (s *Session) running() *job {
	if s.job != nil {
		return s.job
	}
	return s.former
}

// transferring is the job that transfers; nil when none does.
func (s *Session) transferring() *job {
	for _, j := range []*job{s.job, s.former} {
		if j != nil && j.transfer != nil {
			return j
		}
	}
	return nil
}

func (s *Session) uploading() bool {
	j := s.transferring()
	return j != nil && j.transfer.what.incoming
}

// unattended reports whether an upload goes on without its control connection.
func (s *Session) unattended() bool {
	j := s.transferring()
	return j != nil && j.transfer.lost != nil
}

// dismiss says 421 and why, and ends the session.
func (s *Session) dismiss(cause error) {
	s.say(reply(421, "Closing the control connection: %s.", cause))
	s.end(cause)
}

// end stops the session; serve cleans up when its job has ended.
func (s *Session) end(cause error) {
	s.flush()
	if s.ended {
		return
	}
	s.ended, s.cause = true, cause
	s.cancel(cause)
	s.wake()
}

// failed reports a panic and ends the session.
func (s *Session) failed(v any) {
	s.emit(events.Event{Kind: events.Panic, Cause: panicReport(v)})
	s.dismiss(errInside)
}

// start begins a job. What it returns is called in the session's turn, to answer; then the lines run that have waited.
func (s *Session) start(ctx context.Context, during bool, run func(context.Context) (answer func())) {
	j := &job{during: during, done: make(chan struct{})}
	s.job = j
	s.decide(nil) // before the record could be another user's
	own, cancel := context.WithCancelCause(ctx)
	j.cancel = cancel
	go s.perform(ctx, j, func() func() { return s.guarded(own, run) }) // ends when run does, which ends with own
}

func (s *Session) perform(ctx context.Context, j *job, run func() (answer func())) {
	defer close(j.done)
	answer := run()
	s.inTurn(ctx, func() {
		s.over(j)
		defer j.cancel(nil)
		answer()
		s.answerAborts(j)
		if j.left != nil {
			j.left.Close()
		}
		if ctx.Err() == nil {
			s.proceed(ctx, s.ahead)
		}
	})
}

// over notes that a job has ended. The time for the next login begins.
func (s *Session) over(j *job) {
	if s.former == j {
		s.former = nil
	} else {
		s.job = nil
	}
	if s.job == nil {
		s.waiting = 0 // the lines that waited are looked at again
	}
	if j.left != nil && s.login == nil {
		s.startLoginClock()
	}
	s.active = time.Now()
}

// guarded turns a panic of run into the end of the session.
func (s *Session) guarded(ctx context.Context, run func(context.Context) func()) (answer func()) {
	defer func() {
		if v := recover(); v != nil {
			s.emit(events.Event{Kind: events.Panic, Cause: panicReport(v)})
			answer = func() { s.dismiss(errInside) }
		}
	}()
	return run(ctx)
}

// close gives back all that the session holds. Its jobs have been told to end.
func (s *Session) close(ctx context.Context) {
	s.turn.Lock()
	for j := s.running(); j != nil; j = s.running() {
		s.turn.Unlock()
		<-j.done
		s.turn.Lock()
	}
	s.decide(nil) // unless the doubt's timer does just now
	s.turn.Unlock()
	s.finish()
	s.logout()
	e := events.Event{Kind: events.Disconnect, Took: time.Since(s.started)}
	if s.cause != nil {
		e.Cause = s.cause.Error()
	}
	s.emit(e)
}

// logout forgets the user and what belongs to him (RFC 959 §4.1.1, REIN). A transfer that runs comes to its end, beside the next login. The
// time for that begins.
func (s *Session) logout() {
	s.reset()
	if s.login == nil {
		return
	}
	s.startLoginClock()
	s.decide(nil) // it is this user's
	e := events.Event{Kind: events.Logout}
	if s.job == nil {
		s.login.fs.Close()
	} else {
		s.job.left = s.login.fs
		s.former, s.job = s.job, nil
		e.Former = true
		if t := s.former.transfer; t != nil && !t.recorded {
			e.Verb = t.what.verb
		}
	}
	s.emit(e)
	s.login, s.sized, s.private = nil, s.implicit, s.implicit
}

// reset gives the parameters the values that they have when a session begins.
func (s *Session) reset() {
	s.dropOpener()
	s.user, s.dir, s.rename, s.restart, s.announced = "", "", "", 0, 0
	s.chosen, s.epsvOnly, s.facts = typeUnset, false, listing.DefaultFacts
	s.algorithm = &algorithms[0]
	s.idle = time.Duration(s.srv.config.Limits.IdleTimeout)
}

func (s *Session) startLoginClock() {
	if limit := time.Duration(s.srv.config.Limits.LoginTimeout); limit > 0 {
		s.loginBy = time.Now().Add(limit)
	}
}

func (s *Session) emit(e events.Event) {
	e.Session = s.id
	s.srv.supervisor.Emit(e)
}
