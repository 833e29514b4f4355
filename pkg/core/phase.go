package core

// A phase is the present activity of a session. Phases exclude each other. They change in this file
// only, in the session's turn:
//
//	          +-------+  first byte   +---------+  PASS, SITE CHGRP   +-------------+
//	          |  new  |-------------->|  ready  |-------------------->|  exclusive  |
//	          +-------+               |         |<--------------------|             |
//	              |                   |         |     end of job      +-------------+
//	 implicit TLS |                   |         |
//	              v                   |         |  RETR, LIST, HASH   +-------------+
//	        +-----------+  AUTH TLS   |         |-------------------->|  concurrent |
//	        | handshake |<------------|         |<--------------------|             |
//	        |           |------------>|         |     end of job,     +-------------+
//	        +-----------+ end of job  +---------+     USER or REIN
//
//	every phase -- the client is gone, a time is over, QUIT without a job, a failure --> ended
//
// Session.job is set in the phases handshake, exclusive and concurrent, and also after the end of
// the session until the job has ended.
//
// Some facts accompany several phases. Each is a field of its own:
//
//	quitAnswered  QUIT was answered. No later line counts. The session ends when no job runs.
//	wasCut        The session was ended from outside its turn; its phase becomes ended in its next
//	              turn in which no job runs.
//	readClosed    Everything that the client has sent was read, up to its end. Without a job the
//	              session ends. A handshake fails. An exclusive job keeps the session if lines wait
//	              for its end. A download is aborted, unless QUIT was answered. An upload continues.
//	former        A transfer or hash of a login that has ended by USER or REIN. It accompanies ready
//	              and exclusive: all commands run, except those that would begin another transfer, a
//	              hash or a handshake; these wait for its end.
//	record        The record of an upload that was answered 226. It is written when the client's
//	              host has acknowledged the 226, when the next job begins or the login ends, or
//	              after transfer.Waits.Record.
type phase uint8

const (
	phaseNew        phase = iota // nothing has come from the client
	phaseReady                   // each line runs when it arrives
	phaseHandshake               // TLS begins: what arrives belongs to the handshake
	phaseExclusive               // a job runs, and all lines wait for its end
	phaseConcurrent              // a job runs, and so do the commands that the table marks "during"
	phaseEnded                   // nothing more is read or sent
)

// received notes that the client has sent text.
func (s *Session) received() {
	if s.phase == phaseNew {
		s.phase = phaseReady
	}
}

// enter begins the phase of a job. No other job of this login runs. The session may have ended
// while the command was answered; the job then ends at once.
func (s *Session) enter(j *activeJob) {
	s.job = j
	if s.phase != phaseEnded {
		s.phase = j.phase()
	}
}

// detach makes the job, if there is one, that of an earlier login.
func (s *Session) detach() {
	if s.job != nil {
		s.former, s.job, s.phase = s.job, nil, phaseReady
	}
}

// leave ends the phase of a job. The lines that waited for its end are due.
func (s *Session) leave(j *activeJob) {
	if s.former == j {
		s.former = nil
	} else {
		s.job = nil
		if s.phase != phaseEnded {
			s.phase = phaseReady
		}
	}
	if s.job == nil {
		s.ctl.waiting = 0 // the lines that waited are looked at again
	}
}

// end stops the session, because of cause; nil is a QUIT. Session.close releases what the session
// holds when its jobs have ended.
func (s *Session) end(cause error) {
	s.flush()
	if s.phase == phaseEnded {
		return
	}
	s.phase, s.cause = phaseEnded, cause
	clear(s.ctl.ahead) // a part of a password, maybe
	s.cancel(cause)
	s.wake()
}

// running returns the job that runs, first that of the present login; nil if there is none.
func (s *Session) running() *activeJob {
	if s.job != nil {
		return s.job
	}
	return s.former
}
