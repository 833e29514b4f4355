// Package roster keeps the sessions of a server: it counts them until the last one has ended, finds
// them by their ids, and lets none begin after Drain. It does not know what a session is.
package roster

import (
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A Roster has the sessions of type S. The zero Roster is ready, and it may be used by several
// goroutines.
type Roster[S comparable] struct {
	draining atomic.Bool

	mu       sync.Mutex
	sessions map[S]string   // with their ids; "" before Admit; guarded by mu
	admitted map[string]S   // by their ids; guarded by mu
	peak     int            // most sessions since memory was released; guarded by mu
	running  sync.WaitGroup // of sessions; grows under mu, before draining
	// undecided counts the sessions that are neither admitted nor refused; it grows with running.
	undecided sync.WaitGroup
}

// Enter adds a session that begins. It reports false after Drain, and adds nothing then.
func (r *Roster[S]) Enter(s S) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining.Load() {
		return false
	}
	if r.sessions == nil {
		r.sessions, r.admitted = make(map[S]string), make(map[string]S)
	}
	r.sessions[s] = ""
	r.peak = max(r.peak, len(r.sessions))
	r.running.Add(1)
	r.undecided.Add(1)
	return true
}

// Admit gives a session that has entered its id.
func (r *Roster[S]) Admit(s S, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[s], r.admitted[id] = id, s
}

// Decided notes that a session was admitted or refused. It must be called once for each session that
// has entered.
func (r *Roster[S]) Decided() { r.undecided.Done() }

// WaitDecided waits until each session that has entered was admitted or refused. No session may enter
// meanwhile.
func (r *Roster[S]) WaitDecided() { r.undecided.Wait() }

// crowd is the number of sessions that leave enough memory behind to be released when most of
// them are gone.
const crowd = 16

// Leave removes a session that has ended. It must be called once for each session that has entered.
// When most of the sessions are gone, it returns their memory to the system, because the runtime
// would keep it for minutes.
func (r *Roster[S]) Leave(s S) {
	r.mu.Lock()
	delete(r.admitted, r.sessions[s])
	delete(r.sessions, s)
	over := r.peak >= crowd && len(r.sessions) <= r.peak/4
	if over {
		r.peak = len(r.sessions)
	}
	r.mu.Unlock()
	r.running.Done()
	if over {
		debug.FreeOSMemory()
	}
}

// Drain lets no session begin from now on, and calls act for each session that has entered. act must
// not call the Roster's methods, except IsDraining.
func (r *Roster[S]) Drain(act func(S)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining.Store(true)
	for s := range r.sessions {
		act(s)
	}
}

// IsDraining reports whether Drain was called.
func (r *Roster[S]) IsDraining() bool { return r.draining.Load() }

// Admitted returns the sessions that have an id, by their ids.
func (r *Roster[S]) Admitted() map[string]S {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.admitted)
}

// Find returns the session with an id. It reports whether there is one.
func (r *Roster[S]) Find(id string) (S, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.admitted[id]
	return s, ok
}

// Empty returns a channel that is closed when all sessions that have entered have left.
func (r *Roster[S]) Empty() <-chan struct{} {
	r.mu.Lock() // behind Enter: WaitGroup demands that Wait does not race with the first Add
	defer r.mu.Unlock()
	done := make(chan struct{})
	go func() { // returns with the last session, or ends with the process
		r.running.Wait()
		close(done)
	}()
	return done
}
