package core

import (
	"errors"
	"sync"
	"time"

	"ftpd/pkg/monitor"
)

// A sharedView is what other goroutines may read of a session at any time.
type sharedView struct {
	mu sync.Mutex
	// state is what the session has published before it parked. It has no transfer. Guarded by mu.
	state  monitor.SessionState
	moving *transferJob // transfer of a file that runs; nil if there is none; guarded by mu
}

// publish stores the view of the session. It is called in the session's turn.
func (s *Session) publish() {
	v := monitor.SessionState{
		Session: s.id, Dir: s.dir, Client: s.client, Active: s.clock.Active,
		Busy: s.phase.Running() != nil, Gone: s.unattended(),
		TLS: s.shared.state.TLS, // no other goroutine writes it
	}
	if v.TLS == "" && s.ctl.TLS != nil && s.ctl.TLS.IsReady() {
		v.TLS = s.ctl.TLS.Version()
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	s.shared.state = v
}

// seen returns what the session has published, and the transfer of a file that runs, or nil.
func (s *Session) seen() (monitor.SessionState, *transferJob) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	return s.shared.state, s.shared.moving
}

// Sessions returns the state of every session, in no order.
func (srv *Server) Sessions() []monitor.SessionState {
	admitted := srv.sessions.Admitted()
	all := make([]monitor.SessionState, 0, len(admitted))
	for id, s := range admitted {
		state, t := s.seen()
		state.Session = id // also before the first publish
		if t != nil {
			moving := t.state()
			state.Transfer = &moving
		}
		all = append(all, state)
	}
	return all
}

var errKicked = errors.New("ended by the administrator")

// errDisplaced ends a session in which no user has logged in, because another client takes its
// place (limits.max_unauthenticated).
var errDisplaced = errors.New("too many clients that have not logged in")

// Kick ends a session, and its transfer. It reports whether the session existed.
func (srv *Server) Kick(session string) bool { return srv.cutSession(session, errKicked) }

// Displace ends a session because another client takes its place. It reports whether the session
// existed.
func (srv *Server) Displace(session string) bool { return srv.cutSession(session, errDisplaced) }

func (srv *Server) cutSession(id string, cause error) bool {
	s, ok := srv.sessions.Find(id)
	if ok {
		s.cut(cause)
	}
	return ok
}

// stop makes a session end when its transfer is over, or at once if its client is gone.
func (s *Session) stop() {
	if state, _ := s.seen(); state.Gone {
		s.cut(errShutdown)
		return
	}
	s.wake()
}

// cut ends a session from outside its turn, in any phase. The client has lastWord to read the
// reason.
func (s *Session) cut(cause error) {
	s.wasCut.Store(true)
	s.cancel(cause)
	s.conn.SetWriteDeadline(time.Now().Add(lastWord))
	s.wake()
}
