package supervisor

import (
	"sync"

	"ftpd/pkg/auth"
)

// logins holds the accounts of sessions that have to be ended at the logout, at most one for each
// session. The zero value is empty.
type logins struct {
	mu sync.Mutex
	of map[string]*auth.Account // guarded by mu; by session
}

// begin keeps the account of a session, and ends the account that the session had before.
func (l *logins) begin(session string, a *auth.Account) {
	l.end(session)
	if a.Close == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = map[string]*auth.Account{}
	}
	l.of[session] = a
}

// end ends the account of a session, if it has one.
func (l *logins) end(session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.of[session]; a != nil {
		delete(l.of, session)
		a.End()
	}
}
