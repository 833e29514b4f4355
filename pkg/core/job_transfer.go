package core

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/limit"
	"ftpd/pkg/login"
	"ftpd/pkg/phase"
	"ftpd/pkg/transfer"
)

// A transferJob is the job of a command that uses the data connection.
type transferJob struct {
	*transfer.Transfer
	task

	s      *Session
	login  *login.Login // the login that began the transfer
	client string       // the text of CLNT

	// recorded: the record was emitted, unless it is upload; guarded by the session's turn.
	recorded bool
	upload   *events.Event // the record of a successful upload, to be emitted behind its 226

	// run leaves the following for finish.
	reply  Reply
	ending transfer.Ending
	cause  error // of the session's end, if reply is empty
}

// A task is the work of a transfer command.
type task struct {
	// verb is RETR, STOR, APPE or STOU for the transfer of a file, and empty for a listing.
	verb     string
	path     string                                          // of the file, in the user's tree
	size     int64                                           // bytes that will move; 0: not known
	incoming bool                                            // the client sends data
	move     func(context.Context, *transfer.Transfer) error // moves the bytes
	// finished is called once, with the last reply; it releases the resources of move.
	finished func(*transferJob, Reply)
}

// transfer starts a task and answers its command with 150, also if the data connection is open
// already. RFC 959 has 125 for that case, but several libraries take 125 for an error.
func (s *Session) transfer(ctx context.Context, opening string, do task) Reply {
	t := &transferJob{task: do, s: s, login: s.login, client: s.client}
	o := transfer.Options{
		Control: controlOf{s}, ReadClosed: s.readClosed,
		Opener: s.params.opener, Data: s.dataOptions(do.incoming),
		Incoming: do.incoming, ASCII: s.params.dataType.ascii(),
		Waits: s.srv.waits, Move: do.move,
	}
	if s.tls.private {
		o.Proof = s.ctl.TLS.NewProof(do.incoming)
		o.HandshakeLimit = time.Duration(s.srv.config.Limits.ConnectTimeout)
		o.NotResumed = t.reportNotResumed
	}
	t.Transfer = transfer.New(o)
	s.params.opener = nil
	first := reply(150, "%s", opening)
	if s.tls.private {
		s.say(first)
		s.flush() // clients expect the 150 before the handshake, which the transfer begins
		first = Reply{}
	}
	s.srv.began(t)
	s.start(ctx, t)
	return first
}

// dataOptions returns the parameters of a transfer's data connection, and joins its limits.
func (s *Session) dataOptions(incoming bool) dtp.Options {
	direction := limit.Download
	if incoming {
		direction = limit.Upload
	}
	o := dtp.Options{
		Stall:  time.Duration(s.srv.config.Limits.StallTimeout),
		Limits: s.srv.rates.Join(&s.login.Limits, direction),
		Blocks: &s.srv.blocks,
	}
	if s.srv.config.Data.Sendfile {
		o.Pipes = &s.srv.pipes
	}
	return o
}

func (*transferJob) phase() phase.Phase { return phase.Concurrent }

func (t *transferJob) run(ctx context.Context) {
	t.reply = Reply{Cause: errInside} // of a panic
	ended := false
	defer func() {
		t.s.srv.over(t)
		t.finished(t, t.reply)
		if !ended {
			t.Close()
		}
	}()
	err := t.Run(ctx)
	rethrow(err)
	t.ending = transfer.EndingOf(ctx, err)
	t.reply = conclude(t.ending, err)
	t.cause = cmp.Or(context.Cause(ctx), err)
	ended = true
}

func (t *transferJob) finish(context.Context) {
	lost := t.Lost()
	if lost != nil && lost != errGone {
		t.s.end(lost) // no reply can be sent any more
	}
	r := t.reply
	if t.upload != nil && lost != nil {
		r = t.concludeLost(lost)
	}
	if r.Code == 0 {
		t.s.dismiss(t.cause)
	}
	t.s.say(r)
	t.s.flush()
	t.Leave(t.incoming && r.Code >= 450, &t.s.params.farewell)
	switch {
	case lost != nil, t.ending == transfer.Left:
		t.s.end(errGone)
	case t.upload != nil:
		t.s.keepRecord(*t.upload)
	}
}

// concludeLost returns the reply to an upload whose client has gone after Run had found it there,
// and emits the record.
func (t *transferJob) concludeLost(lost error) Reply {
	r := errLeft.Because(lost)
	upload := transfer.Unread(*t.upload, lost)
	upload.Reply = r.Code
	t.upload = nil
	t.s.emit(upload)
	return r
}

// emit reports the outcome of a file's transfer. A successful upload is reported behind its
// reply.
func (t *transferJob) emit(complete, incomplete events.Kind, e events.Event, r Reply) {
	e = t.Record(e)
	e.Kind, e.Reply = complete, r.Code
	switch {
	case r.Code != 226:
		e.Kind, e.Cause = incomplete, r.Reason()
	case t.incoming:
		e.Evidence = t.Evidence()
		t.upload = &e
		return
	}
	t.s.turn.Lock() // a logout comes either before the record or behind it
	defer t.s.turn.Unlock()
	t.s.emit(e)
	t.recorded = true
}

// report emits another event of the transfer.
func (t *transferJob) report(e events.Event) {
	t.s.turn.Lock() // as in emit
	defer t.s.turn.Unlock()
	e.Former = t.login != t.s.login
	t.s.emit(e)
}

// reportNotResumed reports a data connection that has not resumed the TLS session of its control
// connection.
func (t *transferJob) reportNotResumed(reason error, refused bool) {
	e := events.Event{
		Kind: events.NotResumed, Verb: t.verb, Client: t.client, Cause: reason.Error(),
		ResumedBefore: t.Proof.ResumedBefore(),
	}
	if refused {
		e.Reply = errNotResumed.Code
	}
	t.report(e)
}

// progress returns a line of STAT. It may be called while the transfer runs.
func (t *transferJob) progress() string {
	moved := t.Data().Moved()
	switch {
	case !t.Data().IsOpen():
		return "Waiting for the data connection."
	case t.size > 0:
		return fmt.Sprintf("Data connection open: %d of %d bytes moved.", moved, t.size)
	}
	return fmt.Sprintf("Data connection open: %d bytes moved.", moved)
}

// A controlOf is the session as its transfers see it: a transfer.Control.
type controlOf struct{ s *Session }

func (c controlOf) Ended(wait time.Duration) bool { return c.s.conn.Ended(wait) }
func (c controlOf) Unacknowledged() int           { return c.s.conn.Unacknowledged() }
func (c controlOf) QuitAnswered() bool            { return c.s.quitAnswered.Load() }
func (c controlOf) Emit(e events.Event)           { c.s.emit(e) }

func (c controlOf) InTurn(f func()) {
	c.s.turn.Lock()
	defer c.s.turn.Unlock()
	f()
}

// keepRecord emits the record of an upload that was just answered 226, or keeps it for a moment.
func (s *Session) keepRecord(upload events.Event) {
	switch {
	case s.quitAnswered.Load(): // the end of the connection proves nothing any more
		s.emit(upload)
	case s.phase.Is(phase.Ended):
		s.emit(transfer.Unread(upload, s.cause))
	case s.readClosed: // the control connection had ended before the upload began
		s.emit(upload)
	default:
		s.record = transfer.KeepRecord(controlOf{s}, upload, s.srv.waits.Record)
	}
}
