package transfer

import (
	"io"
	"time"

	"ftpd/pkg/events"
)

// A Record is the record of an upload that was answered 226, from the reply until it is emitted.
// Its methods are called in the session's turn. A nil Record has nothing to emit.
type Record struct {
	control Control
	upload  *events.Event // nil: was emitted
	timer   *time.Timer
}

// KeepRecord keeps a record for a moment: until it is certain whether the client has read the 226,
// for wait at most (Waits.Record). It is called in the session's turn.
func KeepRecord(c Control, upload events.Event, wait time.Duration) *Record {
	r := &Record{control: c, upload: &upload}
	r.timer = time.AfterFunc(wait, func() { c.InTurn(func() { r.Emit(nil) }) })
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
		upload = Unread(upload, ErrGone)
	}
	r.control.Emit(upload)
}

func (r *Record) pending() bool { return r != nil && r.upload != nil }

// Unread returns the record of an upload as that of an upload whose client has read no reply. cause
// may be nil.
func Unread(upload events.Event, cause error) events.Event {
	upload.Kind, upload.Reply, upload.Evidence = events.UploadIncomplete, 0, ""
	if cause != nil {
		upload.Cause = cause.Error()
	}
	return upload
}
