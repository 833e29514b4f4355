package unixauth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/unixauth/internal/wire"
)

const (
	ahead        = 2                // helpers started before anybody asks
	freshness    = 10 * time.Minute // a helper older than that may have loaded libraries that were replaced since
	maxSleepers  = 64               // helpers that only wait, for a directory server or PAM's own delay
	loginTimeout = time.Minute      // for one helper, from its turn to its last word
	closeGrace   = 5 * time.Second  // for logins under way when the pool closes
)

var errClosed = errors.New("the server is closing")

// A failure is why a helper could not do its work, in the words of the helper. How the process ended adds
// nothing.
type failure string

func (f failure) Error() string { return string(f) }

// A pool runs `ftpd-auth login`, one for each login. Hashing a password costs a core 50 ms and more, so only as many helpers work at
// one time as there are cores; a helper says when it merely waits, and then its turn goes to the next.
type pool struct {
	path     string
	queue    *auth.Queue
	sleepers chan struct{} // a token for each helper that gave its turn away
	ready    chan *helper  // started ahead

	mu      sync.Mutex
	closed  bool             // guarded by mu
	helpers map[*helper]bool // guarded by mu; those that run, but for the ready ones
	tasks   sync.WaitGroup   // what close waits for; grows under mu only, and not once closed
}

// A login is one that succeeded.
type login struct {
	passwd  Passwd
	guest   string // the name that PAM knows, of a user whose passwd is the guest account's; else ""
	session wire.Session
}

// name is who has logged in.
func (l login) name() string {
	if l.guest != "" {
		return l.guest
	}
	return l.passwd.Name
}

type outcome struct {
	login login
	err   error
}

func newPool(path string, queue *auth.Queue) (*pool, error) {
	first, err := startHelper(path, "login")
	if err != nil {
		return nil, err
	}
	p := &pool{
		path:     path,
		queue:    queue,
		sleepers: make(chan struct{}, maxSleepers),
		ready:    make(chan *helper, ahead),
		helpers:  map[*helper]bool{},
	}
	p.ready <- first
	return p, nil
}

// login waits for a turn and asks a helper. check decides about the account before its PAM session is opened.
func (p *pool) login(ctx context.Context, client netip.Addr, request wire.Login, check func(login) error) (login, error) {
	if err := p.queue.Enter(ctx, client); err != nil {
		return login{}, err
	}
	result := make(chan outcome, 1)
	if !p.start(func() { p.serve(request, check, result) }) {
		p.queue.Leave()
		return login{}, errClosed
	}
	select {
	case o := <-result:
		return o.login, o.err
	case <-ctx.Done():
		return login{}, context.Cause(ctx)
	}
}

// start runs a task that close waits for. Each ends with its helper, which has loginTimeout.
func (p *pool) start(task func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.tasks.Go(task)
	}
	return !p.closed
}

// serve carries one login to its end. The result goes out first; then the helper is waited for, and last the turn is given back.
func (p *pool) serve(request wire.Login, check func(login) error, result chan<- outcome) {
	asleep := false
	sleep := func() {
		select {
		case p.sleepers <- struct{}{}:
			asleep = true
			p.queue.Leave()
		default: // too many of them; it keeps its turn
		}
	}
	defer func() {
		if asleep {
			<-p.sleepers
		} else {
			p.queue.Leave()
		}
	}()

	h, err := p.take()
	if err != nil {
		result <- outcome{err: fmt.Errorf("start %s: %w", p.path, err)}
		return
	}
	defer p.end(h)
	l, err := h.login(request, check, sleep)
	var refusal *auth.Refusal
	if _, cause := errors.AsType[failure](err); err != nil && !cause && !errors.As(err, &refusal) {
		err = fmt.Errorf("%s login: %w (%s)", p.path, err, p.end(h))
	}
	result <- outcome{l, err}
}

// take gives a helper and has the next one started meanwhile.
func (p *pool) take() (*helper, error) {
	p.start(p.refill)
	for {
		select {
		case h := <-p.ready:
			if time.Since(h.started) > freshness || h.ended() {
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

// end ends a helper and says how it ended.
func (p *pool) end(h *helper) string {
	how := h.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.helpers, h)
	return how
}

// refill starts a helper ahead. A failure is not told here: the next login starts its own and tells.
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

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	hurry := time.AfterFunc(closeGrace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for h := range p.helpers {
			h.kill()
		}
	})
	p.tasks.Wait()
	hurry.Stop()
	for {
		select {
		case h := <-p.ready:
			h.end()
		default:
			return
		}
	}
}

// login speaks with a helper (see package wire). Whatever it says out of turn is a failure.
func (h *helper) login(request wire.Login, check func(login) error, sleep func()) (login, error) {
	if err := h.conn.SetDeadline(time.Now().Add(loginTimeout)); err != nil {
		return login{}, err
	}
	if err := h.conn.Send(request); err != nil {
		return login{}, err
	}
	reply, err := h.reply(sleep)
	if err != nil {
		return login{}, err
	}
	if reply.Passwd == nil {
		return login{}, errors.New("it opened a session without being asked")
	}
	done := login{passwd: *reply.Passwd, guest: string(reply.Guest)}
	if err := check(done); err != nil {
		return login{}, err
	}
	if err := h.conn.Send(wire.Proceed{Proceed: true}); err != nil {
		return login{}, err
	}
	if reply, err = h.reply(sleep); err != nil {
		return login{}, err
	}
	if reply.Session == nil {
		return login{}, errors.New("it named the account twice")
	}
	done.session = *reply.Session
	return done, nil
}

// reply gives the next step of a login.
func (h *helper) reply(sleep func()) (wire.Reply, error) {
	for slept := false; ; slept = true {
		var r wire.Reply
		if err := h.conn.Receive(&r); err != nil {
			return r, err
		}
		switch {
		case r.Refused != "":
			return r, &auth.Refusal{Cause: r.Refused}
		case r.Failed != "":
			return r, failure(r.Failed)
		case r.Passwd != nil || r.Session != nil:
			return r, nil
		case !r.Waiting || slept:
			return r, errors.New("it sent an impossible message")
		}
		sleep()
	}
}
