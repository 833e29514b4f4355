package unixauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/unixauth/internal/wire"
)

const (
	readyHelpers = 2                // helpers started before a login needs them
	maxReadyAge  = 10 * time.Minute // an older helper may use libraries that were replaced since
	maxWaiting   = 64               // helpers that wait for a directory server or for PAM's delay
	loginTimeout = time.Minute      // for one helper, from its turn to its last message
	closeGrace   = 5 * time.Second  // for running logins when the pool closes
)

var errClosed = errors.New("the server is closing")

// A helperFailure is the text with which a helper reports that it could not do its work. The
// exit status of the process adds nothing to it.
type helperFailure string

func (f helperFailure) Error() string { return string(f) }

// A pool runs `ftpd-auth login`, one process for each login. Hashing a password takes 50 ms of
// a processor and more, so only as many helpers compute at one time as the queue has turns. A
// helper reports when it only waits; its turn goes to the next login then.
type pool struct {
	path    string
	queue   *auth.Queue
	waiting chan struct{} // holds a token for each helper that returned its turn early
	ready   chan *helper  // started in advance
	closing chan struct{} // closed at the begin of close

	mu      sync.Mutex
	closed  bool             // guarded by mu
	helpers map[*helper]bool // guarded by mu; the running helpers except those in ready
	tasks   sync.WaitGroup   // close waits for it; grows only under mu and before closed is set
}

// A loginResult describes an accepted login.
type loginResult struct {
	passwd  Passwd
	guest   string // the user's name in PAM if passwd is the account of guests, else ""
	session wire.Session
	close   func() // ends the PAM session; nil if that has ended
}

// name returns the name of the logged-in user.
func (l loginResult) name() string {
	if l.guest != "" {
		return l.guest
	}
	return l.passwd.Name
}

type outcome struct {
	login loginResult
	err   error
}

func newPool(path string, queue *auth.Queue) (*pool, error) {
	first, err := startHelper(path, "login")
	if err != nil {
		return nil, err
	}
	p := &pool{
		path:    path,
		queue:   queue,
		waiting: make(chan struct{}, maxWaiting),
		ready:   make(chan *helper, readyHelpers),
		closing: make(chan struct{}),
		helpers: map[*helper]bool{},
	}
	p.ready <- first
	return p, nil
}

// login waits for a turn, at most until ctx ends, and passes the request to a helper. From then
// on it waits for the outcome of the helper. check decides whether the account may log in before
// its PAM session is opened.
func (p *pool) login(ctx context.Context, client netip.Addr, request wire.Login,
	check func(loginResult) error) (loginResult, error) {
	if err := p.queue.Enter(ctx, client); err != nil {
		return loginResult{}, err
	}
	result := make(chan outcome, 1)
	if !p.start(func() { p.serve(request, check, result) }) {
		p.queue.Leave()
		return loginResult{}, errClosed
	}
	o := <-result
	return o.login, o.err
}

// start runs a task that close waits for, and reports whether the pool is still open. Each task
// ends with its helper, which has loginTimeout.
func (p *pool) start(task func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.tasks.Go(task)
	}
	return !p.closed
}

// serve carries out one login. It sends the result first, then waits for the end of the helper,
// and returns the turn last. If the PAM session is kept, it returns the turn before it waits.
func (p *pool) serve(request wire.Login, check func(loginResult) error, result chan<- outcome) {
	turnReturned := false
	returnTurn := func() {
		select {
		case p.waiting <- struct{}{}:
			turnReturned = true
			p.queue.Leave()
		default: // too many helpers wait already, so this one keeps its turn
		}
	}
	leave := sync.OnceFunc(func() {
		if turnReturned {
			<-p.waiting
		} else {
			p.queue.Leave()
		}
	})
	defer leave()

	h, err := p.take()
	if err != nil {
		result <- outcome{err: fmt.Errorf("start %s: %w", p.path, err)}
		return
	}
	defer p.end(h)
	l, err := h.login(request, check, returnTurn)
	var refusal *auth.Refusal
	_, reported := errors.AsType[helperFailure](err)
	if err != nil && !reported && !errors.As(err, &refusal) {
		err = p.explain(h, err)
	}
	if err != nil || !request.Keep {
		result <- outcome{l, err}
		return
	}
	h.conn.SetDeadline(time.Time{})
	closed := make(chan struct{})
	l.close = sync.OnceFunc(func() { close(closed) })
	result <- outcome{login: l}
	leave()
	select {
	case <-closed:
	case <-h.exited:
	case <-p.closing:
	}
}

// explain returns a failure of the helper with its exit status. A helper that has read the password
// and exits without an answer is a refusal: otherwise a module that crashes at a wrong password
// would permit any number of guesses.
func (p *pool) explain(h *helper, err error) error {
	explained := fmt.Errorf("%s login: %w (%s)", p.path, err, p.end(h))
	if errors.Is(err, io.EOF) {
		return &auth.Refusal{Cause: explained.Error()}
	}
	return explained
}

// take returns a helper, and starts the next one in the background.
func (p *pool) take() (*helper, error) {
	p.start(p.refill)
	for {
		select {
		case h := <-p.ready:
			if time.Since(h.started) > maxReadyAge || h.hasExited() {
				h.end()
				continue
			}
			p.track(h)
			return h, nil
		default:
			h, err := startHelper(p.path, "login")
			if err == nil {
				p.track(h)
			}
			return h, err
		}
	}
}

func (p *pool) track(h *helper) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.helpers[h] = true
}

// end ends a helper and returns its exit status or signal.
func (p *pool) end(h *helper) string {
	status := h.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.helpers, h)
	return status
}

// refill starts one helper in advance. It drops an error, because the next login then starts a
// helper itself and returns its error.
func (p *pool) refill() {
	if len(p.ready) == cap(p.ready) {
		return
	}
	h, err := startHelper(p.path, "login")
	if err != nil {
		return
	}
	select {
	case p.ready <- h:
	default:
		h.end()
	}
}

// close waits for the running logins, kills their helpers after closeGrace, and ends the ready
// helpers.
func (p *pool) close() {
	p.mu.Lock()
	if !p.closed {
		close(p.closing)
	}
	p.closed = true
	p.mu.Unlock()
	timer := time.AfterFunc(closeGrace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for h := range p.helpers {
			h.kill()
		}
	})
	p.tasks.Wait()
	timer.Stop()
	for {
		select {
		case h := <-p.ready:
			h.end()
		default:
			return
		}
	}
}

// login carries out one login with a helper, in the order that package wire documents. A
// message out of this order is an error.
func (h *helper) login(request wire.Login, check func(loginResult) error,
	returnTurn func()) (loginResult, error) {
	if err := h.conn.SetDeadline(time.Now().Add(loginTimeout)); err != nil {
		return loginResult{}, err
	}
	if err := h.conn.Send(request); err != nil {
		return loginResult{}, err
	}
	reply, err := h.reply(returnTurn)
	if err != nil {
		return loginResult{}, err
	}
	if reply.Passwd == nil {
		return loginResult{}, errors.New("it opened a session without being asked")
	}
	l := loginResult{passwd: *reply.Passwd, guest: string(reply.Guest)}
	if err := check(l); err != nil {
		return loginResult{}, err
	}
	if err := h.conn.Send(wire.Proceed{Proceed: true}); err != nil {
		return loginResult{}, err
	}
	if reply, err = h.reply(returnTurn); err != nil {
		return loginResult{}, err
	}
	if reply.Session == nil {
		return loginResult{}, errors.New("it named the account twice")
	}
	l.session = *reply.Session
	return l, nil
}

// reply receives the next step of a login. It calls returnTurn when the helper reports that it
// only waits.
func (h *helper) reply(returnTurn func()) (wire.Reply, error) {
	for waited := false; ; waited = true {
		var r wire.Reply
		if err := h.conn.Receive(&r); err != nil {
			return r, err
		}
		switch {
		case r.Refused != "":
			return r, &auth.Refusal{Cause: r.Refused}
		case r.Failed != "":
			return r, helperFailure(r.Failed)
		case r.Passwd != nil || r.Session != nil:
			return r, nil
		case !r.Waiting || waited:
			return r, errors.New("it sent an impossible message")
		}
		returnTurn()
	}
}
