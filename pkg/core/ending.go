package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ftpd/pkg/events"
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

// UploadWaits bound the times in which the end of the control connection decides whether an upload
// counts. Longer times find more clients that were killed, and delay the replies to the others.
type UploadWaits struct {
	// Control bounds the time between the end of the data connection and the end of the control
	// connection. A kernel closes all connections of a killed program at once, but may run other
	// programs meanwhile. 0 is 50 µs.
	Control time.Duration
	// Record bounds the time for which the record of an upload that was answered 226 waits: a host
	// that has nothing else to send acknowledges within 40 ms. 0 is 50 ms.
	Record time.Duration
}

func (w UploadWaits) orDefault() UploadWaits {
	return UploadWaits{
		Control: cmp.Or(w.Control, 50*time.Microsecond),
		Record:  cmp.Or(w.Record, 50*time.Millisecond),
	}
}

// errEndedFirst is the cause of an upload that does not count, although its bytes may all be
// there.
var errEndedFirst = errors.New("the control connection ended first")

// controlEnded records how the control connection has ended. It is called once, in the
// session's turn.
func (t *transfer) controlEnded(err error) {
	switch {
	case !t.what.incoming || t.s.quitAnswered.Load():
	case err == io.EOF:
		t.lost = errGone
	default:
		t.lost = err
	}
	close(t.allRead)
}

// underWay bounds the time that the data connection of an upload may take from the kernel to
// this program, after the end of the control connection.
const underWay = 50 * time.Millisecond

// continueUpload lets an upload continue without its control connection. If no data connection is
// open, continueUpload ends the job through cancel, because the job waits for no new one.
func (t *transfer) continueUpload(cancel context.CancelCauseFunc) {
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
func (t *transfer) controlLost() bool {
	select {
	case <-t.allRead:
		return t.lost != nil
	default:
		return false
	}
}

// withControlEnd makes the end of the control connection the first cause of an upload's error
// that came after that end.
func (t *transfer) withControlEnd(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !t.controlLost() || errors.Is(err, errEndedFirst) {
		return err
	}
	return fmt.Errorf("%w, then: %w", errEndedFirst, err)
}

// arrived returns nil at the end of an upload that counts, and otherwise the reason why it
// does not.
func (t *transfer) arrived(ctx context.Context) error {
	wait := t.s.srv.waits.Control
	if t.proved() {
		wait = 0
	}
	early := t.s.quitAnswered.Load()
	err := t.requireClient(ctx, wait)
	t.overtaken = early && !t.proved() && t.s.conn.Ended(0)
	return err
}

// proved reports whether the client itself has ended the data: close_notify comes from the
// program, never from a kernel.
func (t *transfer) proved() bool { return t.private && t.secure.EndProved() }

// requireClient returns nil if the client is still there, and otherwise the cause.
func (t *transfer) requireClient(ctx context.Context, wait time.Duration) error {
	if !t.s.conn.Ended(wait) {
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

// A pendingRecord is the record of an upload that was answered 226; it is not yet written.
type pendingRecord struct {
	upload events.Event
	timer  *time.Timer
}

// recordUpload emits the record of an upload that was just answered 226, or keeps it for a moment.
func (s *Session) recordUpload(upload events.Event) {
	switch {
	case s.quitAnswered.Load(): // the end of the connection proves nothing any more
		s.emit(upload)
	case s.phase == phaseEnded:
		s.emit(unfinished(upload, s.cause))
	case s.readClosed: // the control connection had ended before the upload began
		s.emit(upload)
	default:
		r := &pendingRecord{upload: upload}
		r.timer = time.AfterFunc(s.srv.waits.Record, func() {
			s.turn.Lock()
			defer s.turn.Unlock()
			if s.record == r {
				s.emitRecord(nil)
			}
		})
		s.record = r
	}
}

// confirmRecord is called when the client has sent something. It emits the pending record if the
// client has acknowledged the 226 and its connection is open.
func (s *Session) confirmRecord() {
	if s.record != nil && s.conn.Unacknowledged() == 0 && !s.conn.Ended(0) {
		s.emitRecord(nil)
	}
}

// emitRecord emits the pending record. err is the error that ended the control connection, or nil
// if no read has met its end.
//
// If the client program is gone, or exits with the 226 unread, its host answers the 226 with a
// reset. A program that has read the 226 has acknowledged it with its end, or before.
func (s *Session) emitRecord(err error) {
	r := s.record
	if r == nil {
		return
	}
	s.record = nil
	r.timer.Stop()
	reset := err != nil && err != io.EOF
	if !s.quitAnswered.Load() && (reset || s.conn.Ended(0) && s.conn.Unacknowledged() > 0) {
		s.emit(unfinished(r.upload, errGone))
		return
	}
	s.emit(r.upload)
}

// concludeLost returns the reply to an upload whose client has gone after requireClient had found
// it there, and emits the record.
func (t *transfer) concludeLost() Reply {
	r := errLeft.Because(t.lost)
	upload := unfinished(*t.upload, t.lost)
	upload.Reply = r.Code
	t.upload = nil
	t.s.emit(upload)
	return r
}

// unfinished returns the record of an upload as that of an upload whose client has read no
// reply.
func unfinished(upload events.Event, cause error) events.Event {
	upload.Kind, upload.Reply, upload.Evidence = events.UploadIncomplete, 0, ""
	if cause != nil {
		upload.Cause = cause.Error()
	}
	return upload
}
