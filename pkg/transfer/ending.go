package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// How an upload ends. In stream mode the end of the data connection is the end of the file
// (RFC 959 §3.4.1). A client that was killed ends its connections like a client that has
// finished: its kernel closes both of them, in good order, within microseconds.
// Only the control connection shows the difference. A client that has finished keeps the
// control connection until it has read the 226, or sends QUIT before it closes it. A client
// that was killed does neither.
//
// A QUIT that came before the end of the data proves little about that end: a client may have
// sent both in advance, and be killed. But a client that has finished may also send QUIT and
// close without reading the 226, and its QUIT overtakes data that is still under way. So this
// upload counts, and its record contains the reason for doubt.
//
// Therefore the control connection is checked before an upload counts, and the record of an
// upload that was answered 226 waits a moment: until the client's host has acknowledged the
// reply on a connection that is still open, or until it is certain that it never will.
//
// Whether an upload counts and whether its bytes are kept are two questions. ffmpeg closes
// both connections behind the last byte, the control connection first, while the end of the
// file still lies in a socket's buffer. So an upload without QUIT goes on after the end of its
// control connection (RFC 959 §4.1.1 would abort it), until the end of the data connection,
// and is incomplete then.

// lastLines bounds the time in which an upload whose control connection has ended waits until
// all lines that were sent there before are read: one of them may be QUIT.
const lastLines = time.Second

// Waits bound the times in which the end of the control connection decides whether an upload
// counts. Longer times find more clients that were killed, and delay the replies to the others.
type Waits struct {
	// Control bounds the time between the end of the data connection and the end of the control
	// connection. A kernel closes all connections of a killed program at once, but may run other
	// programs meanwhile. 0 is 50 µs.
	Control time.Duration
	// Record bounds the time for which the record of an upload that was answered 226 waits: a host
	// that has nothing else to send acknowledges within 40 ms. 0 is 50 ms.
	Record time.Duration
}

// OrDefault returns the waits with their defaults in place of 0.
func (w Waits) OrDefault() Waits {
	return Waits{
		Control: cmp.Or(w.Control, 50*time.Microsecond),
		Record:  cmp.Or(w.Record, 50*time.Millisecond),
	}
}

// errEndedFirst is the cause of an upload that does not count, although its bytes may all be
// there.
var errEndedFirst = errors.New("the control connection ended first")

// ControlEnded records how the control connection has ended: err is io.EOF, or the error of a read.
// It is called once, in the session's turn, and not if ReadClosed was set.
func (t *Transfer) ControlEnded(err error) {
	switch {
	case !t.Incoming || t.Control.QuitAnswered():
	case err == io.EOF:
		t.lost = ErrGone
	default:
		t.lost = err
	}
	close(t.allRead)
}

// underWay bounds the time that the data connection of an upload may take from the kernel to
// this program, after the end of the control connection.
const underWay = 50 * time.Millisecond

// Lost returns how the control connection has ended, if an upload goes on without it, and nil
// otherwise. It is called in the session's turn.
func (t *Transfer) Lost() error { return t.lost }

// Continue lets an upload continue without its control connection. If no data connection is open,
// Continue ends Run through cancel, because the upload waits for no new one. It is called in the
// session's turn.
func (t *Transfer) Continue(cancel context.CancelCauseFunc) {
	if t.data.IsOpen() {
		t.data.Interrupt()
		return
	}
	time.AfterFunc(underWay, func() {
		if !t.data.IsOpen() {
			cancel(errEndedFirst)
		}
	})
}

// controlLost reports whether the transfer goes on without its control connection. It may be called
// while the transfer runs.
func (t *Transfer) controlLost() bool {
	select {
	case <-t.allRead:
		return t.lost != nil
	default:
		return false
	}
}

// withControlEnd makes the end of the control connection the first cause of an upload's error
// that came after that end.
func (t *Transfer) withControlEnd(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !t.controlLost() || errors.Is(err, errEndedFirst) {
		return err
	}
	return fmt.Errorf("%w, then: %w", errEndedFirst, err)
}

// arrived returns nil at the end of an upload that counts, and otherwise the reason why it
// does not.
func (t *Transfer) arrived(ctx context.Context) error {
	wait := t.Waits.Control
	if t.proved() {
		wait = 0
	}
	early := t.Control.QuitAnswered()
	err := t.requireClient(ctx, wait)
	t.overtaken = early && !t.proved() && t.Control.Ended(0)
	return err
}

// proved reports whether the client itself has ended the data: close_notify comes from the
// program, never from a kernel.
func (t *Transfer) proved() bool { return t.private() && t.secure.EndProved() }

// requireClient returns nil if the client is still there, and otherwise the cause.
func (t *Transfer) requireClient(ctx context.Context, wait time.Duration) error {
	if !t.Control.Ended(wait) {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(lastLines)
	defer timer.Stop()
	select {
	case <-t.allRead:
		if t.lost != nil && ctx.Err() == nil {
			return errEndedFirst
		}
	case <-ctx.Done():
	case <-timer.C:
		return errEndedFirst
	}
	return context.Cause(ctx)
}

// evidence returns the reason to doubt the end of an upload that counts, or "".
func (t *Transfer) evidence() string {
	switch {
	case t.overtaken:
		return "QUIT may have come before the end of the data"
	case t.private() && !t.secure.EndProved():
		return "no close_notify"
	}
	return ""
}
