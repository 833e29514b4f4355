package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A Progress is the state of the transfer of one file.
type Progress struct {
	Session string
	User    string
	Remote  netip.AddrPort // of the control connection
	Verb    string         // RETR, STOR, APPE or STOU
	Path    string         // in the user's tree
	Moved   int64          // bytes so far
	Size    int64          // bytes that will move; 0: not known
	Began   time.Time
}

// Transfers returns the transfers of files that run now, the oldest first.
func (srv *Server) Transfers() []Progress {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	all := make([]Progress, 0, len(srv.moving))
	for t := range srv.moving {
		all = append(all, t.state())
	}
	slices.SortFunc(all, func(a, b Progress) int {
		return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.Session, b.Session))
	})
	return all
}

func (t *transferJob) state() Progress {
	return Progress{
		Session: t.s.id,
		User:    t.login.Account.Name,
		Remote:  t.s.conn.Remote(),
		Verb:    t.verb,
		Path:    t.path,
		Moved:   t.Data().Moved(),
		Size:    t.size,
		Began:   t.Began(),
	}
}

func (srv *Server) began(t *transferJob) {
	if t.verb == "" {
		return // a listing
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.moving[t] = struct{}{}
}

func (srv *Server) over(t *transferJob) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.moving, t)
}
