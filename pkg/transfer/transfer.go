// Package transfer is one use of the data connection, from the 150 of a command to its last reply:
// it opens the connection, begins TLS on it, moves the bytes, and decides whether an upload counts.
// It sees the session as a Control alone. It returns errors and has no replies, except for the texts
// of the 150 and of STAT.
package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/vfs"
)

// A Control is the control connection of a transfer with its session. Several goroutines may call
// Ended, Unacknowledged and QuitAnswered.
type Control interface {
	// Ended and Unacknowledged are those of transport.Conn.
	Ended(wait time.Duration) bool
	Unacknowledged() int
	// QuitAnswered reports whether QUIT was answered: no later line counts.
	QuitAnswered() bool
	// Locker begins and ends the session's turn, in which no other goroutine acts on the session.
	sync.Locker
	// Emit emits an event of the session. It is called in the session's turn.
	Emit(events.Event)
}

// Options are the parameters of a Transfer. They do not change while it runs.
type Options struct {
	Control Control
	// ReadClosed means that all that the client has sent on the control connection was read before
	// the transfer began, up to its end.
	ReadClosed bool

	Opener dtp.Opener // has been claimed for this transfer
	// Data are the parameters of the data connection. Run leaves their limits, which the caller has
	// joined.
	Data     dtp.Options
	Incoming bool // the client sends data
	ASCII    bool // TYPE A

	// Proof is the proof of session reuse that TLS on the data connection has to give (RFC 4217
	// §9, PROT P). nil is a connection without TLS, which needs none of the next two fields.
	Proof *ftptls.Proof
	// HandshakeLimit bounds the time of the TLS handshake; 0 is no bound.
	HandshakeLimit time.Duration
	// NotResumed is called after a TLS handshake that has not resumed the session of the control
	// connection. refused reports whether the transfer fails for that reason.
	NotResumed func(reason error, refused bool)

	Waits Waits
	// Move moves the bytes after the data connection was opened.
	Move func(context.Context, *Transfer) error
}

// A Transfer is one use of the data connection. Run is called once, beside the session's turn.
// The comments of the other methods name where they may be called.
type Transfer struct {
	Options

	data   dtp.Conn
	secure *ftptls.Data // TLS of data; nil before the handshake and without TLS
	begun  time.Time
	open   bool // the data connection is open, and is closed behind the last reply

	// allRead is closed when the control connection has ended and all that the client has sent on
	// it was read.
	allRead chan struct{}
	// lost is the end of the control connection, if an upload goes on without it. It is set before
	// allRead is closed.
	lost error
	// overtaken: QUIT and the end of the control connection may precede the end of an upload.
	overtaken bool
	// recorded: the record was emitted, unless it is upload; guarded by the session's turn.
	recorded bool
	upload   *events.Event // the record of an upload that counts, to be emitted behind its 226
}

// Init makes the zero Transfer one that begins now. It must not be copied afterwards.
func (t *Transfer) Init(o Options) {
	t.Options, t.data.Options = o, o.Data
	t.begun, t.allRead = time.Now(), make(chan struct{})
	if o.ReadClosed {
		close(t.allRead)
	}
}

// Data returns the data connection. Move uses it; other goroutines may call its IsOpen and Moved.
func (t *Transfer) Data() *dtp.Conn { return &t.data }

// Began returns the time of Init.
func (t *Transfer) Began() time.Time { return t.begun }

// Run opens the data connection, moves the bytes, and closes the data connection after a success.
// After a failure the connection stays open for Leave: the client reads the reply first, because
// the end of the connection is no answer. EndingOf returns what the error means for the reply.
func (t *Transfer) Run(ctx context.Context) error {
	defer t.data.Limits.Leave()
	err := t.perform(ctx)
	t.open = t.data.IsOpen()
	if t.open && err == nil {
		t.data.Finish()
		t.open = false
		if t.Incoming {
			err = t.requireClient(ctx, 0)
		}
	}
	return t.withControlEnd(ctx, err)
}

// Leave closes the data connection behind the last reply. If the server has refused an upload, the
// client may still be sending, and the Farewell waits for its end. Leave is called after Run.
func (t *Transfer) Leave(refused bool, f *dtp.Farewell) {
	switch {
	case t.open && refused:
		f.Begin(t.data.Transport())
	case t.open:
		t.data.Finish()
	}
}

// Close closes the data connection at once if it is open, after a panic of Run.
func (t *Transfer) Close() {
	if t.data.IsOpen() {
		t.data.Close()
	}
}

func (t *Transfer) perform(ctx context.Context) (err error) {
	if err := t.data.Open(ctx, t.Opener); err != nil {
		return err
	}
	if t.controlLost() {
		t.data.Interrupt()
	}
	defer context.AfterFunc(ctx, t.data.Interrupt)()
	if !t.private() {
		return t.move(ctx)
	}
	if err := t.protect(ctx); err != nil {
		return err
	}
	defer t.secure.Release()
	err = t.move(ctx)
	if err != nil && !(t.Incoming && EndingOf(ctx, err) == Failed) {
		return err
	}
	if ended := t.endTLS(ctx); err == nil {
		err = ended
	}
	return err
}

// private reports whether the data connection uses TLS.
func (t *Transfer) private() bool { return t.Proof != nil }

func (t *Transfer) move(ctx context.Context) error {
	if err := t.data.Start(ctx, !t.Incoming); err != nil {
		return err
	}
	return t.Move(ctx, t)
}

// SendFile sends the rest of a file, as text under TYPE A. Move calls it.
func (t *Transfer) SendFile(ctx context.Context, f *vfs.File) error {
	if t.ASCII {
		return t.data.SendText(ctx, f)
	}
	return t.data.SendFile(ctx, f)
}

// An Ending is what the end of a transfer means for its last reply (RFC 959 §5.4).
type Ending int

const (
	// Complete is the end of a transfer without an error.
	Complete Ending = iota
	// Aborted means that the client has sent ABOR: the context was cancelled with ErrAborted.
	Aborted
	// Left means that the control connection ended before the transfer.
	Left
	// Dismissed means that the session ends, for the same cause and with its own reply.
	Dismissed
	// Disconnected means that the data connection has failed.
	Disconnected
	// Failed means that the error is none of the client's connections: the file, a limit, or the
	// opening of the data connection.
	Failed
)

// These are causes of the end of a transfer's context.
var (
	// ErrAborted is the cause if the client has sent ABOR.
	ErrAborted = errors.New("aborted by the client")
	// ErrGone is the cause if the client has closed the control connection.
	ErrGone = errors.New("client closed the control connection")
)

// EndingOf returns what an error of Run means. ctx is the context of Run.
func EndingOf(ctx context.Context, err error) Ending {
	switch {
	case err == nil:
		return Complete
	case errors.Is(err, ErrAborted):
		return Aborted
	case errors.Is(err, ErrGone) || errors.Is(err, errEndedFirst):
		return Left
	case errors.Is(err, dtp.ErrStalled),
		ctx.Err() != nil && context.Cause(ctx) != ErrAborted:
		return Dismissed
	}
	if _, ok := errors.AsType[*dtp.ConnError](err); ok {
		return Disconnected
	}
	return Failed
}
