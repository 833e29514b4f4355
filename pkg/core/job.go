package core

import (
	"context"
	"time"

	"ftpd/pkg/events"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/phase"
	"ftpd/pkg/vfs"
)

// A job is work for one command that takes long. It runs beside the session's turn and ends in it.
type job interface { // *passwordCheck, *handshake, *transferJob, *hashing, *groupChange
	// phase returns the phase of the session while the job runs. It decides which commands run
	// meanwhile.
	phase() phase.Phase

	// run does the work, in a goroutine of its own. It uses no field of the session that the turn
	// guards. It returns soon after ctx has ended. The cause of that end is errAborted after ABOR;
	// otherwise it is why the session ends.
	run(ctx context.Context)

	// finish answers the command after run, in the session's turn. ctx is that of the session. It
	// is not called if run has panicked.
	finish(ctx context.Context)
}

// An activeJob is a job that runs, with what the session keeps about it. The turn guards it.
type activeJob struct {
	job
	cancel context.CancelCauseFunc // ends the job; the session continues
	aborts int                     // ABORs that are answered at the job's end
	files  *vfs.FS                 // of a login that has ended before the job; else nil
	// done is closed when the job has ended and the lines that waited have run.
	done chan struct{}
}

// start begins a job. At its end the lines run that have waited for it.
func (s *Session) start(ctx context.Context, work job) {
	own, cancel := context.WithCancelCause(ctx)
	j := &activeJob{job: work, cancel: cancel, done: make(chan struct{})}
	s.phase.Enter(j, work.phase())
	s.record.Emit(nil)        // before a record of another user can follow
	go s.perform(ctx, own, j) // returns after run, which returns soon after own has ended
}

// perform runs a job that ends with own, and then finishes it in the session's turn.
func (s *Session) perform(ctx, own context.Context, j *activeJob) {
	defer close(j.done)
	panicked := s.guarded(func() { j.run(own) })
	s.inTurn(ctx, func() {
		s.over(j)
		defer j.cancel(nil)
		if panicked {
			s.dismiss(errInside)
		} else {
			j.finish(ctx)
		}
		s.answerAborts(j)
		if j.files != nil {
			j.files.Close()
		}
		if ctx.Err() == nil {
			s.proceed(ctx, nil)
		}
	})
}

// guarded reports whether run has panicked, and writes the panic to the log.
func (s *Session) guarded(run func()) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			s.emit(events.Event{Kind: events.Panic, Cause: impersonate.PanicReport(v)})
			panicked = true
		}
	}()
	run()
	return false
}

// over ends the phase of a job that has ended. After a logout the time limit for the next login
// begins.
func (s *Session) over(j *activeJob) {
	if s.phase.Leave(j) {
		s.ctl.Due()
	}
	if j.files != nil && s.login == nil {
		s.startLoginClock()
	}
	s.clock.Active = time.Now()
}

// transferring returns the job that is a transfer; nil if there is none.
func (s *Session) transferring() (*activeJob, *transferJob) {
	for _, j := range []*activeJob{s.phase.Job(), s.phase.Former()} {
		if j == nil {
			continue
		}
		if t, ok := j.job.(*transferJob); ok {
			return j, t
		}
	}
	return nil, nil
}
