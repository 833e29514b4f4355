package admission

import (
	"fmt"
	"time"

	"ftpd/pkg/config"
)

// A Displaced is a session that another client has taken the place of. The caller ends it. Until
// then it counts as a session, and it can no longer log in.
type Displaced struct {
	ID string
	Session
	Cause string // for the log
}

// Displaced returns the sessions that were displaced since the last call.
func (r *Registry) Displaced() []Displaced {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.displaced
	r.displaced = nil
	return all
}

// displaceLocked makes room for a session without a user, if limits.max_unauthenticated is reached:
// it displaces the sessions that have been silent longest.
func (r *Registry) displaceLocked() {
	allowed := r.strangersAllowedLocked()
	for allowed > 0 && r.strangers.count() >= allowed {
		c := r.strangers.largest()
		s := r.sessions[c.silent]
		s.displaced = true
		r.setLocked(c.silent, s)
		r.leaving++
		r.displaced = append(r.displaced, Displaced{c.silent, s, fmt.Sprintf(
			"limits.max_unauthenticated = %s is reached, and %d of these sessions are from %s; "+
				"this one was silent for %v",
			r.allowedText(allowed), c.sessions, c.network, c.silence.Round(time.Millisecond))})
	}
}

// leastAllowed is the least number of sessions without a user that config.Auto allows. A server
// with few sessions has no use for a smaller number.
const leastAllowed = 10

// strangersAllowedLocked returns the number that limits.max_unauthenticated allows; 0: any.
func (r *Registry) strangersAllowedLocked() int {
	allowed, sessions := r.limits.MaxUnauthenticated, r.limits.MaxSessions
	switch {
	case allowed != config.Auto:
		return int(allowed)
	case sessions == 0:
		return 0
	}
	others := len(r.sessions) - r.strangers.count() - r.leaving
	return max(leastAllowed, 3*(sessions-others)/4)
}

func (r *Registry) allowedText(allowed int) string {
	if r.limits.MaxUnauthenticated == config.Auto {
		return fmt.Sprintf(`"auto" (%d)`, allowed)
	}
	return fmt.Sprint(allowed)
}

// BeginCheck records that a password is being checked for a session. It reports whether the
// session may log in, which it may not when it has ended or was displaced. The caller calls
// EndCheck after that.
func (r *Registry) BeginCheck(id string) (Session, bool) { return r.setChecking(id, true) }

// EndCheck records that the check of a password has ended. If no user has logged in, the session
// is silent from now on.
func (r *Registry) EndCheck(id string) { r.setChecking(id, false) }

func (r *Registry) setChecking(id string, checking bool) (Session, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.sessions[id]
	if !ok || s.displaced {
		return Session{}, false
	}
	s.checking = checking
	r.setLocked(id, s)
	return s, true
}
