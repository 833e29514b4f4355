// Package phase is the state machine of a session: which activity it has, and which jobs run beside
// it. It knows neither the session nor what a job does.
package phase

// A Phase is the present activity of a session. Phases exclude each other:
//
//	          +-------+  first byte   +---------+  PASS, SITE CHGRP   +-------------+
//	          |  New  |-------------->|  Ready  |-------------------->|  Exclusive  |
//	          +-------+               |         |<--------------------|             |
//	              |                   |         |     end of job      +-------------+
//	 implicit TLS |                   |         |
//	              v                   |         |  RETR, LIST, HASH   +-------------+
//	        +-----------+  AUTH TLS   |         |-------------------->|  Concurrent |
//	        | Handshake |<------------|         |<--------------------|             |
//	        |           |------------>|         |     end of job,     +-------------+
//	        +-----------+ end of job  +---------+     USER or REIN
//
//	every phase -- the client is gone, a time is over, QUIT without a job, a failure --> Ended
type Phase uint8

const (
	New        Phase = iota // nothing has come from the client
	Ready                   // each line runs when it arrives
	Handshake               // TLS begins: what arrives belongs to the handshake
	Exclusive               // a job runs, and all lines wait for its end
	Concurrent              // a job runs, and so do the commands that the table marks "during"
	Ended                   // nothing more is read or sent
)

// A Machine has the phase of one session, and its jobs, which are pointers. The zero Machine is a
// session in the phase New. Only one goroutine at a time may use it.
//
// A job of the present login accompanies the phases Handshake, Exclusive and Concurrent, and Ended
// until the job has ended. A former job is a transfer or hash of a login that has ended by USER or
// REIN. It accompanies Ready and Exclusive: all commands run, except those that would begin another
// transfer, a hash or a handshake; these wait for its end.
type Machine[J any] struct {
	now    Phase
	job    *J // of the present login
	former *J // of an earlier login
}

// Now returns the phase.
func (m *Machine[J]) Now() Phase { return m.now }

// Is reports whether p is the phase.
func (m *Machine[J]) Is(p Phase) bool { return m.now == p }

// Job returns the job of the present login; nil if there is none.
func (m *Machine[J]) Job() *J { return m.job }

// Former returns the job of an earlier login; nil if there is none.
func (m *Machine[J]) Former() *J { return m.former }

// Running returns the job that runs, first that of the present login; nil if there is none.
func (m *Machine[J]) Running() *J {
	if m.job != nil {
		return m.job
	}
	return m.former
}

// Received notes that the client has sent text.
func (m *Machine[J]) Received() {
	if m.now == New {
		m.now = Ready
	}
}

// Enter begins the phase p of a job. No other job of this login runs. The session may have ended
// while the command was answered; the job then ends at once.
func (m *Machine[J]) Enter(j *J, p Phase) {
	m.job = j
	if m.now != Ended {
		m.now = p
	}
}

// Detach makes the job, if there is one, that of an earlier login.
func (m *Machine[J]) Detach() {
	if m.job != nil {
		m.former, m.job, m.now = m.job, nil, Ready
	}
}

// Leave ends the phase of a job that has ended. due reports that no job of the present login runs, so
// that the lines which waited for its end are due.
func (m *Machine[J]) Leave(j *J) (due bool) {
	if m.former == j {
		m.former = nil
		return m.job == nil
	}
	m.job = nil
	if m.now != Ended {
		m.now = Ready
	}
	return true
}

// End ends the session. It reports whether this was not done before.
func (m *Machine[J]) End() bool {
	first := m.now != Ended
	m.now = Ended
	return first
}
