package core

import (
	"errors"
	"sync"
	"time"

	"ftpd/pkg/monitor"
)

// A view is the state of a session that other goroutines may read at any time. The session
// publishes it each time before it parks.
type view struct {
	dir    string
	client string
	tls    string
	busy   bool // a job runs
	gone   bool // an upload goes on without the control connection
	active time.Time
}

// A sharedView is the last view that a session has published.
type sharedView struct {
	mu   sync.Mutex
	view view // guarded by mu
}

// publish stores the view of the session. It is called in the session's turn.
func (s *Session) publish() {
	v := view{
		dir: s.dir, client: s.client, active: s.clock.Active,
		busy: s.phase.Running() != nil, gone: s.unattended(),
		tls: s.shared.view.tls, // no other goroutine writes it
	}
	if v.tls == "" && s.ctl.TLS != nil && s.ctl.TLS.IsReady() {
		v.tls = s.ctl.TLS.Version()
	}
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	s.shared.view = v
}

// Sessions returns the state of every session, in no order.
func (srv *Server) Sessions() []monitor.SessionState {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	all := make([]monitor.SessionState, 0, len(srv.admitted))
	at := make(map[string]int, len(srv.admitted))
	for id, s := range srv.admitted {
		s.shared.mu.Lock()
		v := s.shared.view
		s.shared.mu.Unlock()
		at[id] = len(all)
		all = append(all, monitor.SessionState{
			Session: id, Dir: v.dir, Client: v.client, TLS: v.tls,
			Busy: v.busy, Gone: v.gone, Active: v.active,
		})
	}
	for t := range srv.moving {
		if i, ok := at[t.s.id]; ok {
			p := t.state()
			all[i].Transfer = &monitor.TransferState{
				Verb: p.Verb, Path: p.Path, Moved: p.Moved, Size: p.Size, Began: p.Began,
			}
		}
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
	srv.mu.Lock()
	s, ok := srv.admitted[id]
	srv.mu.Unlock()
	if ok {
		s.cut(cause)
	}
	return ok
}

// stop makes a session end when its transfer is over, or at once if its client is gone.
func (s *Session) stop() {
	s.shared.mu.Lock()
	gone := s.shared.view.gone
	s.shared.mu.Unlock()
	if gone {
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
