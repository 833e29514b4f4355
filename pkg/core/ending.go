package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ftpd/pkg/events"
)

// How an upload ends. In stream mode the end of the data connection is the end of the file (RFC 959 §3.4.1), and a client that was killed
// ends its connections as one does that has finished: its kernel closes both of them, in good order, one microseconds after the other.
// What tells the two apart is the control connection. A client that has finished keeps it until it has read the 226, or says QUIT
// before it closes it; one that was killed does neither.
//
// A QUIT that came before the end of the data tells little about that end: a client may have sent both in advance, and be killed. But one
// that has finished may also say QUIT and close without a look at the 226, and its QUIT overtakes what is still under way. So such an
// upload counts, and its record says what leaves room for doubt.
//
// So the control connection is looked at before an upload counts, and the record of one that was answered 226 waits a moment: until the
// client's host has acknowledged the reply on a connection that is still open, or until it is known that it never will.
//
// Whether an upload counts is one thing, its bytes are another. ffmpeg closes both connections behind the last byte, the control
// connection first, while the end of the file still lies in a socket's buffer. So an upload without QUIT goes on when its control
// connection has ended (RFC 959 §4.1.1 would abort it), until the end of the data connection, and is incomplete then.

// lastLines is how long an upload whose control connection has ended waits until all that was sent there before is read: it may be a QUIT.
const lastLines = time.Second

// nextEnd is how long the end of the control connection may take behind that of the data connection. A kernel closes what its program
// had open in one go, but may let others run meanwhile.
const nextEnd = 50 * time.Microsecond

// errEndedFirst is the cause of an upload that counts for nothing, although its bytes may all be there.
var errEndedFirst = errors.New("the control connection ended first")

// controlEnded notes how the control connection has ended. It is called once, in the session's turn.
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

// underWay is how long the data connection of an upload may take from the kernel to this program, behind the end of the control
// connection.
const underWay = 50 * time.Millisecond

// goOn has an upload go on without its control connection. If there is no data connection, it ends the job by cancel, because none is
// waited for.
func (t *transfer) goOn(cancel context.CancelCauseFunc) {
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

// deserted reports whether the transfer goes on without its control connection. It may be called while the transfer runs.
func (t *transfer) deserted() bool {
	select {
	case <-t.allRead:
		return t.lost != nil
	default:
		return false
	}
}

// first names the end of the control connection as the cause of whatever became of the upload behind it.
func (t *transfer) first(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !t.deserted() || errors.Is(err, errEndedFirst) {
		return err
	}
	return fmt.Errorf("%w, then: %w", errEndedFirst, err)
}

// arrived says at the end of an upload that it may count; else it tells why not.
func (t *transfer) arrived(ctx context.Context) error {
	wait := nextEnd
	if t.proved() {
		wait = 0
	}
	early := t.s.quitAnswered.Load()
	err := t.present(ctx, wait)
	t.overtaken = early && !t.proved() && t.s.conn.Ended(0)
	return err
}

// proved says that the end of the data was the client's own word: no kernel says close_notify.
func (t *transfer) proved() bool { return t.private && !t.secure.unproved() }

// present says that the client has not gone; else it is the cause.
func (t *transfer) present(ctx context.Context, wait time.Duration) error {
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

// recordDelay is how long the record of an upload waits at most: a host that has nothing else to send acknowledges within 40 ms.
const recordDelay = 50 * time.Millisecond

// A pendingRecord is the record of an upload that was answered 226, and is not written yet.
type pendingRecord struct {
	upload events.Event
	timer  *time.Timer
}

// vouch emits the record of an upload that was just answered 226, or keeps it for a moment.
func (s *Session) vouch(upload events.Event) {
	switch {
	case s.quitAnswered.Load(): // how it ends tells nothing any more
		s.emit(upload)
	case s.phase == phaseEnded:
		s.emit(unfinished(upload, s.cause))
	case s.readClosed: // since before the upload began
		s.emit(upload)
	default:
		r := &pendingRecord{upload: upload}
		r.timer = time.AfterFunc(recordDelay, func() {
			s.turn.Lock()
			defer s.turn.Unlock()
			if s.record == r {
				s.decide(nil)
			}
		})
		s.record = r
	}
}

// confirm is called when the client has sent something. It emits the record that waits if the client has the 226 and continues.
func (s *Session) confirm() {
	if s.record != nil && s.conn.Unacknowledged() == 0 && !s.conn.Ended(0) {
		s.decide(nil)
	}
}

// decide emits the record that waits. err is how the control connection has ended; nil: it has not, as far as was read.
//
// A host whose program has gone answers the 226 by a reset, and so does one where it goes with the 226 unread. A program that has read it
// has acknowledged it with its end, or before.
func (s *Session) decide(err error) {
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

// leftBehind is the reply to an upload whose client has gone since it was found present.
func (t *transfer) leftBehind() Reply {
	r := errLeft.Because(t.lost)
	upload := unfinished(*t.upload, t.lost)
	upload.Reply = r.Code
	t.upload = nil
	t.s.emit(upload)
	return r
}

// unfinished makes the record of an upload that of one whose client has read no reply.
func unfinished(upload events.Event, cause error) events.Event {
	upload.Kind, upload.Reply, upload.Evidence = events.UploadIncomplete, 0, ""
	if cause != nil {
		upload.Cause = cause.Error()
	}
	return upload
}
