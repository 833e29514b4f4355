package transfer

import (
	"io"
	"time"

	"ftpd/pkg/events"
)

// Report emits e, the record of a file's transfer, with what the transfer has done. Its kind is
// complete or incomplete. code is that of the last reply, and reason the cause of a failure. The record
// of an upload that was successful is kept instead, for Revoke or Settle. Report is called after Run,
// outside of the session's turn.
func (t *Transfer) Report(
	complete, incomplete events.Kind, e events.Event, code int, reason string,
) {
	e.Kind, e.Reply = complete, code
	e.ASCII = t.ASCII
	e.Bytes, e.Took = t.data.Moved(), time.Since(t.begun)
	switch {
	case code != 226:
		e.Kind, e.Cause = incomplete, reason
	case t.Incoming:
		e.Evidence = t.evidence()
		t.upload = &e
		return
	}
	t.Control.Lock() // a logout comes either before the record or behind it
	defer t.Control.Unlock()
	t.Control.Emit(e)
	t.recorded = true
}

// IsRecorded reports whether Report has emitted the record. It is called in the session's turn.
func (t *Transfer) IsRecorded() bool { return t.recorded }

// Revoke emits the record of a successful upload as an incomplete one if its client has gone after Run
// had found it there. code is that of the reply, which the client does not read. It reports whether
// there was such an upload. It is called in the session's turn.
func (t *Transfer) Revoke(code int) bool {
	if t.upload == nil || t.lost == nil {
		return false
	}
	upload := unread(*t.upload, t.lost)
	upload.Reply = code
	t.upload = nil
	t.Control.Emit(upload)
	return true
}

// Settle emits the record of a successful upload that was just answered 226, or keeps it for a moment
// in the result; otherwise the result is nil. ended reports that the session has ended, because of
// cause, which may be nil; readClosed that the control connection had ended before the upload began. It
// is called in the session's turn.
func (t *Transfer) Settle(ended bool, cause error, readClosed bool) *Record {
	switch {
	case t.upload == nil:
	case t.Control.QuitAnswered(): // the end of the connection proves nothing any more
		t.Control.Emit(*t.upload)
	case ended:
		t.Control.Emit(unread(*t.upload, cause))
	case readClosed:
		t.Control.Emit(*t.upload)
	default:
		return keepRecord(t.Control, *t.upload, t.Waits.Record)
	}
	return nil
}

// A Record is the record of an upload that was answered 226, from the reply until it is emitted.
// Its methods are called in the session's turn. A nil Record has nothing to emit.
type Record struct {
	control Control
	upload  *events.Event // nil: was emitted
	timer   *time.Timer
}

// keepRecord keeps a record for a moment: until it is certain whether the client has read the 226,
// for wait at most. It is called in the session's turn.
func keepRecord(c Control, upload events.Event, wait time.Duration) *Record {
	r := &Record{control: c, upload: &upload}
	r.timer = time.AfterFunc(wait, func() {
		c.Lock()
		defer c.Unlock()
		r.Emit(nil)
	})
	return r
}

// Confirm emits the record if the client has acknowledged the 226 and its connection is open. It is
// called when the client has sent something.
func (r *Record) Confirm() {
	if r.pending() && r.control.Unacknowledged() == 0 && !r.control.Ended(0) {
		r.Emit(nil)
	}
}

// Emit emits the record unless that was done. err is the error that ended the control connection,
// or nil if no read has met its end.
//
// If the client program is gone, or exits with the 226 unread, its host answers the 226 with a
// reset. A program that has read the 226 has acknowledged it with its end, or before.
func (r *Record) Emit(err error) {
	if !r.pending() {
		return
	}
	upload := *r.upload
	r.upload = nil
	r.timer.Stop()
	reset := err != nil && err != io.EOF
	if !r.control.QuitAnswered() &&
		(reset || r.control.Ended(0) && r.control.Unacknowledged() > 0) {
		upload = unread(upload, ErrGone)
	}
	r.control.Emit(upload)
}

func (r *Record) pending() bool { return r != nil && r.upload != nil }

// unread returns the record of an upload as that of an upload whose client has read no reply. cause
// may be nil.
func unread(upload events.Event, cause error) events.Event {
	upload.Kind, upload.Reply, upload.Evidence = events.UploadIncomplete, 0, ""
	if cause != nil {
		upload.Cause = cause.Error()
	}
	return upload
}
