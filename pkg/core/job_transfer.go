package core

import (
	"cmp"
	"context"
	"time"

	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/limit"
	"ftpd/pkg/login"
	"ftpd/pkg/phase"
	"ftpd/pkg/transfer"
)

// A transferJob is the job of a command that uses the data connection.
type transferJob struct {
	transfer.Transfer
	task

	s      *Session
	login  *login.Login // the login that began the transfer
	client string       // the text of CLNT

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
		Incoming: do.incoming, ASCII: s.params.dataType.IsASCII(),
		Waits: s.srv.waits, Move: do.move,
	}
	if s.tls.private {
		o.Proof = s.ctl.TLS.NewProof(do.incoming)
		o.HandshakeLimit = time.Duration(s.srv.config.Limits.ConnectTimeout)
		o.NotResumed = t.reportNotResumed
	}
	t.Init(o)
	s.params.opener = nil
	first := reply(150, "%s", opening)
	if s.tls.private {
		s.say(first)
		s.flush() // clients expect the 150 before the handshake, which the transfer begins
		first = Reply{}
	}
	if do.verb != "" {
		s.show(t)
	}
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
		t.s.show(nil)
		t.finished(t, t.reply)
		if !ended {
			t.Close()
		}
	}()
	err := t.Run(ctx)
	impersonate.Rethrow(err)
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
	if t.Revoke(errLeft.Code) {
		r = errLeft.Because(lost)
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
	default:
		t.s.record = t.Settle(t.s.phase.Is(phase.Ended), t.s.cause, t.s.readClosed)
	}
}

// report emits another event of the transfer.
func (t *transferJob) report(e events.Event) {
	t.s.turn.Lock() // a logout comes either before the event or behind it
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
func (t *transferJob) progress() string { return t.Progress(t.size) }

// A controlOf is the session as its transfers see it: a transfer.Control.
type controlOf struct{ s *Session }

func (c controlOf) Ended(wait time.Duration) bool { return c.s.conn.Ended(wait) }
func (c controlOf) Unacknowledged() int           { return c.s.conn.Unacknowledged() }
func (c controlOf) QuitAnswered() bool            { return c.s.quitAnswered.Load() }
func (c controlOf) Emit(e events.Event)           { c.s.emit(e) }
func (c controlOf) Lock()                         { c.s.turn.Lock() }
func (c controlOf) Unlock()                       { c.s.turn.Unlock() }
