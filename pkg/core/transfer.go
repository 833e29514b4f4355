package core

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"ftpd/pkg/events"
	"ftpd/pkg/limit"
	"ftpd/pkg/transport"
)

// A transfer is one use of the data connection, from its 150 to its 226. It runs as a job of its session.
type transfer struct {
	s       *Session
	data    dataConn
	opener  dataOpener
	limits  limit.Buckets  // the transfer waits on each
	reserve *limit.Reserve // of an upload's file system; may be nil
	private bool           // over TLS
	ascii   bool           // TYPE A
	begun   time.Time
	login   *login // whose transfer it is
	client  string // what CLNT named
	what    task
	stands  atomic.Bool // the data connection does

	heardOut  chan struct{} // closed when the control connection has ended, and all before that was read
	lost      error         // how it has ended, where an upload goes on without it; set before heardOut is closed
	overtaken bool          // QUIT and the end of the control connection may have come before the end of an upload
	recorded  bool          // the record was emitted, unless it is upload; guarded by the session's turn
	upload    *events.Event // the record of an upload that ended well, to be emitted behind its 226
}

// A block is the piece in which a transfer moves bytes.
type block [256 << 10]byte

// blocks lends them out.
type blocks struct{ pool sync.Pool }

func (b *blocks) get() *block {
	if p, ok := b.pool.Get().(*block); ok {
		return p
	}
	return new(block)
}

func (b *blocks) put(p *block) { b.pool.Put(p) }

// A task is what a transfer command has the transfer do.
type task struct {
	verb     string                                 // of a file's transfer: RETR, STOR, APPE or STOU
	path     string                                 // the file's, in the user's tree
	size     int64                                  // bytes that will move; 0: not known
	move     func(context.Context, *transfer) error // moves the bytes
	incoming bool                                   // the client writes
	finished func(*transfer, Reply)                 // called once, with the reply that tells the outcome; gives back what move used
}

func (t task) direction() limit.Direction {
	if t.incoming {
		return limit.Upload
	}
	return limit.Download
}

// transfer starts a task and answers its command: 150, also where the data connection stands already. RFC 959 has 125 there, which
// several libraries take for an error.
func (s *Session) transfer(ctx context.Context, opening string, do task) Reply {
	t := &transfer{
		s: s, opener: s.opener, private: s.private, ascii: s.chosen.ascii(), begun: time.Now(),
		limits: s.srv.rates.Join(&s.login.limits, do.direction()),
		login:  s.login, client: s.client, what: do, heardOut: make(chan struct{}),
	}
	if s.deaf {
		close(t.heardOut)
	}
	t.data.stall = time.Duration(s.srv.config.Limits.StallTimeout)
	s.opener = nil
	first := reply(150, "%s", opening)
	if t.private {
		s.say(first)
		s.flush() // the handshake may begin as soon as the transfer does, and clients want to read this first
		first = Reply{}
	}
	s.srv.began(t)
	s.start(ctx, true, func(ctx context.Context) func() { return t.run(ctx, do) })
	s.job.transfer = t
	return first
}

// run opens the data connection, moves the bytes and closes it. After a success the client reads 226 when the data connection is
// closed. After a failure it reads the reply first, since the end of the connection is no answer.
func (t *transfer) run(ctx context.Context, do task) (answer func()) {
	r := Reply{Cause: errInside} // of a panic
	defer func() {
		t.s.srv.over(t)
		t.limits.Leave()
		do.finished(t, r)
		if answer == nil && t.data.conn != nil {
			t.data.conn.Close()
		}
	}()
	err := t.perform(ctx, do)
	rethrow(err)
	open := t.data.conn != nil
	if open && err == nil {
		t.data.conn.Finish()
		open = false
		if do.incoming {
			err = t.present(ctx, 0)
		}
	}
	err = t.first(ctx, err)
	r = conclude(ctx, err)
	return func() {
		if t.lost != nil && t.lost != errGone {
			t.s.end(t.lost) // nothing can be said any more
		}
		if t.upload != nil && t.lost != nil {
			r = t.leftBehind()
		}
		if r.Code == 0 {
			t.s.dismissFor(ctx, err)
		}
		t.s.say(r)
		t.s.flush()
		switch {
		case open && t.refused(r):
			t.s.partFrom(t.data.conn)
		case open:
			t.data.conn.Finish()
		}
		switch {
		case t.lost != nil, errors.Is(r.Cause, errGone), errors.Is(r.Cause, errEndedFirst):
			t.s.end(errGone)
		case t.upload != nil:
			t.s.vouch(*t.upload)
		}
	}
}

func (t *transfer) perform(ctx context.Context, do task) (err error) {
	if t.data.conn, err = t.opener.open(ctx); err != nil {
		return err
	}
	t.stands.Store(true)
	if t.deserted() {
		t.interrupt()
	}
	if c, ok := t.data.conn.(*transport.TCPConn); ok {
		c.SetData(t.data.stall)
	}
	defer context.AfterFunc(ctx, t.interrupt)()
	if !t.private {
		return t.move(ctx, do)
	}
	if err := t.protect(ctx, do.incoming); err != nil {
		return err
	}
	defer t.data.secure.release()
	err = t.move(ctx, do)
	if err != nil && !t.refused(conclude(ctx, err)) {
		return err
	}
	if ended := t.data.secure.finish(ctx); err == nil {
		err = ended
	}
	return err
}

// refused reports whether an upload has ended for a reason of the server's: its client may still be sending.
func (t *transfer) refused(r Reply) bool { return t.what.incoming && r.Code >= 450 }

// move moves the bytes. An earlier transfer that was aborted may owe some of its own.
func (t *transfer) move(ctx context.Context, do task) error {
	if err := t.limits.Wait(ctx, 0); err != nil {
		return err
	}
	if !do.incoming {
		t.pace()
	}
	return do.move(ctx, t)
}

// pace sets the rate at which the kernel sends a piece. Without it the piece would leave at the
// speed of the line and meet the full queue of a router. The kernel's rate is a quarter higher than
// the limit, because the kernel may count headers.
func (t *transfer) pace() {
	c, ok := t.data.conn.(*transport.TCPConn)
	if !ok || len(t.limits) == 0 {
		return
	}
	c.Pace(int64(t.limits.Rate() * 5 / 4))
}

// dismissFor ends the session whose transfer has stalled, or was cut.
func (s *Session) dismissFor(ctx context.Context, err error) {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	s.dismiss(err)
}

// interrupt ends a wait for the client; arm then finds the context's cause, and look that no bound was set.
func (t *transfer) interrupt() { t.data.conn.SetDeadline(transport.PastDeadline) }

// send moves all of src to the client.
func (t *transfer) send(ctx context.Context, src io.Reader) error {
	b := t.s.srv.blocks.get()
	defer t.s.srv.blocks.put(b)
	for {
		if ctx.Err() != nil { // what is read may be nothing that is written
			return context.Cause(ctx)
		}
		n, err := src.Read(b[:])
		if n > 0 {
			if err := t.write(ctx, b[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// write sends all of p, as fast as it may.
func (t *transfer) write(ctx context.Context, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), t.limits.Piece())
		if err := t.data.write(ctx, p[:n]); err != nil {
			return err
		}
		if err := t.limits.Wait(ctx, n); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// receive moves all that the client sends to dst. Only a FIN is an end: a reset may have destroyed what was on its way.
func (t *transfer) receive(ctx context.Context, dst io.Writer) error {
	b := t.s.srv.blocks.get()
	defer t.s.srv.blocks.put(b)
	for {
		err := t.take(ctx, dst, b[:])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// take moves one piece, and then waits until the next may come. The client's end is io.EOF.
func (t *transfer) take(ctx context.Context, dst io.Writer, room []byte) error {
	n, err := t.data.read(ctx, room[:min(len(room), t.limits.Piece())])
	if err != nil {
		return err
	}
	if written, err := dst.Write(room[:n]); err != nil {
		t.data.moved.Add(int64(written - n)) // the others are in no file
		return err
	}
	if err := t.reserve.Check(t.data.moved.Load()); err != nil {
		return err
	}
	return t.limits.Wait(ctx, n)
}

// emit reports the outcome of a file's transfer; that of an upload which ended well is reported behind its reply.
func (t *transfer) emit(complete, incomplete events.Kind, e events.Event, r Reply) {
	e.Kind, e.Reply = complete, r.Code
	e.ASCII = t.ascii
	e.Bytes, e.Took = t.data.moved.Load(), time.Since(t.begun)
	switch {
	case r.Code != 226:
		e.Kind, e.Cause = incomplete, r.Reason()
	case complete == events.Upload:
		switch {
		case t.overtaken:
			e.Evidence = "QUIT may have come before the end of the data"
		case t.private && t.data.secure.unproved():
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
	t.s.turn.Lock() // as above
	defer t.s.turn.Unlock()
	e.Former = t.login != t.s.login
	t.s.emit(e)
}
