package core

import (
	"cmp"
	"context"
	"errors"
	"time"

	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/limit"
)

// A transfer is one use of the data connection, from its 150 to its 226. It runs as a job of its
// session.
type transfer struct {
	s       *Session
	data    dtp.Conn
	opener  dtp.Opener
	private bool          // over TLS
	proof   *ftptls.Proof // of the TLS; nil without TLS
	secure  *ftptls.Data  // TLS of data; nil before the handshake and without TLS
	ascii   bool          // TYPE A
	begun   time.Time
	login   *login // the login that began the transfer
	client  string // the text of CLNT
	what    task

	// allRead is closed when the control connection has ended and all that the client has sent
	// on it was read.
	allRead chan struct{}

	// lost is the end of the control connection, if an upload goes on without it. It is set before
	// allRead is closed.
	lost error

	// overtaken: QUIT and the end of the control connection may precede the end of an upload.
	overtaken bool
	// recorded: the record was emitted, unless it is upload; guarded by the session's turn.
	recorded bool
	upload   *events.Event // the record of a successful upload, to be emitted behind its 226

	// run leaves the following for finish.
	reply Reply
	cause error // of the session's end, if reply is empty
	open  bool  // the data connection is open, and is closed behind the reply
}

// A task is the work of a transfer command.
type task struct {
	// verb is RETR, STOR, APPE or STOU for the transfer of a file, and empty for a listing.
	verb     string
	path     string                                 // of the file, in the user's tree
	size     int64                                  // bytes that will move; 0: not known
	move     func(context.Context, *transfer) error // moves the bytes
	incoming bool                                   // the client sends data
	// finished is called once, with the last reply; it releases the resources of move.
	finished func(*transfer, Reply)
}

func (t task) direction() limit.Direction {
	if t.incoming {
		return limit.Upload
	}
	return limit.Download
}

// transfer starts a task and answers its command with 150, also if the data connection is open
// already. RFC 959 has 125 for that case, but several libraries take 125 for an error.
func (s *Session) transfer(ctx context.Context, opening string, do task) Reply {
	t := &transfer{
		s: s, opener: s.params.opener, private: s.tls.private,
		ascii: s.params.dataType.ascii(), begun: time.Now(),
		data:  dtp.Conn{Options: s.dataOptions(do.direction())},
		login: s.login, client: s.client, what: do, allRead: make(chan struct{}),
	}
	if s.readClosed {
		close(t.allRead)
	}
	if t.private {
		t.proof = s.tls.control.NewProof(do.incoming)
	}
	s.params.opener = nil
	first := reply(150, "%s", opening)
	if t.private {
		s.say(first)
		s.flush() // clients expect the 150 before the handshake, which the transfer begins
		first = Reply{}
	}
	s.srv.began(t)
	s.start(ctx, t)
	return first
}

func (*transfer) phase() phase { return phaseConcurrent }

// run opens the data connection, moves the bytes, and closes the data connection after a success.
// After a failure the client reads the reply first, because the end of the connection is no answer.
func (t *transfer) run(ctx context.Context) {
	t.reply = Reply{Cause: errInside} // of a panic
	ended := false
	defer func() {
		t.s.srv.over(t)
		t.data.Limits.Leave()
		t.what.finished(t, t.reply)
		if !ended && t.data.IsOpen() {
			t.data.Close()
		}
	}()
	err := t.perform(ctx, t.what)
	rethrow(err)
	t.open = t.data.IsOpen()
	if t.open && err == nil {
		t.data.Finish()
		t.open = false
		if t.what.incoming {
			err = t.requireClient(ctx, 0)
		}
	}
	err = t.withControlEnd(ctx, err)
	t.reply = conclude(ctx, err)
	t.cause = cmp.Or(context.Cause(ctx), err)
	ended = true
}

func (t *transfer) finish(context.Context) {
	if t.lost != nil && t.lost != errGone {
		t.s.end(t.lost) // no reply can be sent any more
	}
	r := t.reply
	if t.upload != nil && t.lost != nil {
		r = t.concludeLost()
	}
	if r.Code == 0 {
		t.s.dismiss(t.cause)
	}
	t.s.say(r)
	t.s.flush()
	switch {
	case t.open && t.refused(r):
		t.s.params.farewell.Begin(t.data.Transport())
	case t.open:
		t.data.Finish()
	}
	switch {
	case t.lost != nil, errors.Is(r.Cause, errGone), errors.Is(r.Cause, errEndedFirst):
		t.s.end(errGone)
	case t.upload != nil:
		t.s.recordUpload(*t.upload)
	}
}

func (t *transfer) perform(ctx context.Context, do task) (err error) {
	if err := t.data.Open(ctx, t.opener); err != nil {
		return err
	}
	if t.controlLost() {
		t.data.Interrupt()
	}
	defer context.AfterFunc(ctx, t.data.Interrupt)()
	if !t.private {
		return t.move(ctx, do)
	}
	if err := t.protect(ctx); err != nil {
		return err
	}
	defer t.secure.Release()
	err = t.move(ctx, do)
	if err != nil && !t.refused(conclude(ctx, err)) {
		return err
	}
	if ended := t.endTLS(ctx); err == nil {
		err = ended
	}
	return err
}

// refused reports whether the server has ended an upload: the client may still be sending.
func (t *transfer) refused(r Reply) bool { return t.what.incoming && r.Code >= 450 }

// move moves the bytes.
func (t *transfer) move(ctx context.Context, do task) error {
	if err := t.data.Start(ctx, !do.incoming); err != nil {
		return err
	}
	return do.move(ctx, t)
}

// emit reports the outcome of a file's transfer. A successful upload is reported behind its
// reply.
func (t *transfer) emit(complete, incomplete events.Kind, e events.Event, r Reply) {
	e.Kind, e.Reply = complete, r.Code
	e.ASCII = t.ascii
	e.Bytes, e.Took = t.data.Moved(), time.Since(t.begun)
	switch {
	case r.Code != 226:
		e.Kind, e.Cause = incomplete, r.Reason()
	case complete == events.Upload:
		switch {
		case t.overtaken:
			e.Evidence = "QUIT may have come before the end of the data"
		case t.private && !t.secure.EndProved():
			e.Evidence = "no close_notify"
		}
		t.upload = &e
		return
	}
	t.s.turn.Lock() // a logout comes either before the record or behind it
	defer t.s.turn.Unlock()
	t.s.emit(e)
	t.recorded = true
}

// report emits another event of the transfer.
func (t *transfer) report(e events.Event) {
	t.s.turn.Lock() // as in emit
	defer t.s.turn.Unlock()
	e.Former = t.login != t.s.login
	t.s.emit(e)
}
