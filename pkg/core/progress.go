package core

import (
	"cmp"
	"net/netip"
	"slices"

	"ftpd/pkg/monitor"
)

// A Progress is the state of the transfer of one file.
type Progress struct {
	Session string
	User    string
	Remote  netip.AddrPort // of the control connection
	monitor.TransferState
}

// Transfers returns the transfers of files that run now, the oldest first.
func (srv *Server) Transfers() []Progress {
	var all []Progress
	for _, s := range srv.sessions.Admitted() {
		if _, t := s.seen(); t != nil {
			all = append(all, Progress{s.id, t.login.Account.Name, s.conn.Remote(), t.state()})
		}
	}
	slices.SortFunc(all, func(a, b Progress) int {
		return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.Session, b.Session))
	})
	return all
}

func (t *transferJob) state() monitor.TransferState {
	return monitor.TransferState{
		Verb: t.verb, Path: t.path, Moved: t.Data().Moved(), Size: t.size, Began: t.Began(),
	}
}

// show makes t the transfer of a file that runs; nil is none.
func (s *Session) show(t *transferJob) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	s.shared.moving = t
}
