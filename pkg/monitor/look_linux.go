package monitor

import (
	"context"
	"errors"
	"time"
)

// The wire's forms: paths are bytes, and a message has a bound.
type (
	stateBody struct {
		SessionState
		Dir      []byte        `json:"dir,omitempty"`
		Client   []byte        `json:"client,omitempty"`
		Transfer *transferBody `json:"transfer,omitempty"`
	}
	transferBody struct {
		TransferState
		Path []byte `json:"path"`
	}
	statesBody struct {
		Look   uint64      `json:"look"` // the question's number
		States []stateBody `json:"states"`
		Done   bool        `json:"done,omitempty"` // these are the last
	}
	lookBody struct {
		Look uint64 `json:"look"`
	}
	kickBody struct {
		Session string `json:"session"`
	}
)

// maxStates is how many sessions one message tells of, at most some bytes each, so that it stays under its bound.
const (
	maxStates    = 16
	maxStateText = 512
)

func cutText(s string) []byte { return []byte(s[:min(len(s), maxStateText)]) }

func packState(s SessionState) stateBody {
	b := stateBody{SessionState: s, Dir: cutText(s.Dir), Client: cutText(s.Client)}
	if t := s.Transfer; t != nil {
		b.Transfer = &transferBody{TransferState: *t, Path: cutText(t.Path)}
	}
	return b
}

func (b stateBody) unpack() SessionState {
	s := b.SessionState
	s.Dir, s.Client = string(b.Dir), string(b.Client)
	if t := b.Transfer; t != nil {
		state := t.TransferState
		state.Path = string(t.Path)
		s.Transfer = &state
	}
	return s
}

// states sends what Look has asked for.
func (c *Client) states(look uint64, all []SessionState) {
	for {
		n := min(len(all), maxStates)
		body := statesBody{Look: look, Done: n == len(all)}
		for _, s := range all[:n] {
			body.States = append(body.States, packState(s))
		}
		if err := c.send(states, 0, body); err != nil || body.Done {
			return // an error means that the supervisor is gone
		}
		all = all[n:]
	}
}

// lookTimeout bounds how long a core may take to tell of its sessions.
const lookTimeout = 5 * time.Second

// Look asks the core for the state of its sessions. One that is late, or gone, has none to tell.
func (s *Server) Look(ctx context.Context) []SessionState {
	s.looking.Lock()
	defer s.looking.Unlock()
	l := &look{done: make(chan struct{})}
	s.mu.Lock()
	s.looks++
	l.number = s.looks
	l.most = len(s.sessions)
	s.look = l
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.look = nil
		s.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if s.send(askStates, 0, lookBody{Look: l.number}) != nil {
		return nil
	}
	select {
	case <-l.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.found
}

// A look is a question after the state of sessions that is under way.
type look struct {
	number uint64
	most   int            // sessions that the core had when it was asked, and those that it got since; guarded by the server's mu
	told   int            // of so many it has told; likewise
	found  []SessionState // guarded by the server's mu, as the following
	over   bool
	done   chan struct{} // closed when over
}

// states takes a part of the answer. One to a question that was given up is passed over.
func (s *Server) states(m message) error {
	var body statesBody
	if err := unpack(m, &body); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.look
	if body.Look > s.looks {
		return errors.New("core tells of its sessions unasked")
	}
	if l == nil || l.number != body.Look {
		return nil
	}
	if l.told += len(body.States); l.over || l.told > l.most {
		return errors.New("core tells of more sessions than it has")
	}
	for _, b := range body.States {
		if _, ok := s.sessions[b.Session]; ok { // others have ended meanwhile
			l.found = append(l.found, b.unpack())
		}
	}
	if body.Done {
		l.over = true
		close(l.done)
	}
	return nil
}

// Kick asks the core to end a session.
func (s *Server) Kick(session string) error { return s.send(kick, 0, kickBody{Session: session}) }
