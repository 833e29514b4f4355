package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// A look is one query of the states of all sessions: the supervisor sends ask-states, and the
// core sends the states in one or more messages.

const (
	askStates kind = "ask-states"
	states    kind = "states"
)

type (
	lookBody struct {
		Look uint64 `json:"look"` // the number of the look
	}
	statesBody struct {
		Look   uint64      `json:"look"`
		States []stateBody `json:"states"`
		Done   bool        `json:"done,omitempty"` // this is the last message of the look
	}
	// stateBody shadows the fields of SessionState that hold bytes of clients.
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
)

const (
	maxStates    = 16  // sessions in one message, so that it stays under its bound
	maxStateText = 512 // bytes of each text of a state
)

func packState(s SessionState) stateBody {
	b := stateBody{
		SessionState: s,
		Dir:          truncate(s.Dir, maxStateText),
		Client:       truncate(s.Client, maxStateText),
	}
	if t := s.Transfer; t != nil {
		b.Transfer = &transferBody{TransferState: *t, Path: truncate(t.Path, maxStateText)}
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

// askStates takes the states of the sessions and sends them in a goroutine.
func (c *Client) askStates(o Orders, m message) error {
	var body lookBody
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return err
	}
	go c.sendStates(body.Look, o.Sessions()) // ends when all states are sent
	return nil
}

func (c *Client) sendStates(look uint64, all []SessionState) {
	for {
		n := min(len(all), maxStates)
		body := statesBody{Look: look, Done: n == len(all)}
		for _, s := range all[:n] {
			body.States = append(body.States, packState(s))
		}
		if err := c.send(states, 0, body); err != nil || body.Done {
			return // an error means that the supervisor has ended
		}
		all = all[n:]
	}
}

// lookTimeout bounds the time in which a core must report its sessions.
const lookTimeout = 5 * time.Second

// A look is a running query. The mutex of the server guards all fields but number.
type look struct {
	number   uint64
	limit    int // sessions that the core had at the beginning, and those admitted since
	received int // states, including those of sessions that have ended meanwhile
	found    []SessionState
	complete bool
	done     chan struct{} // closed when the look is complete
}

// Look returns the states of the core's sessions. The result is incomplete if the core does
// not report them in time.
func (s *Server) Look(ctx context.Context) []SessionState {
	s.looking.Lock()
	defer s.looking.Unlock()
	l := &look{done: make(chan struct{})}
	s.mu.Lock()
	s.lastLook++
	l.number = s.lastLook
	l.limit = len(s.sessions)
	s.look = l
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.look = nil
		s.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if s.send(askStates, lookBody{Look: l.number}) != nil {
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

// states takes a part of the result of a look. It ignores states for a look that has ended.
func (s *Server) states(_ context.Context, _ request, body statesBody) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.look
	if body.Look > s.lastLook {
		return errors.New("core reported its sessions without a request")
	}
	if l == nil || l.number != body.Look {
		return nil
	}
	if l.received += len(body.States); l.complete || l.received > l.limit {
		return errors.New("core reported more sessions than it has")
	}
	for _, b := range body.States {
		if _, ok := s.sessions[b.Session]; ok { // other sessions have ended meanwhile
			l.found = append(l.found, b.unpack())
		}
	}
	if body.Done {
		l.complete = true
		close(l.done)
	}
	return nil
}
