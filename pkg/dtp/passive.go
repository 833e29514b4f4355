package dtp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ftpd/pkg/transport"
)

// A Passive is the Opener of PASV and EPSV: it waits for the client's data connection. It takes the
// first connection from the right address, and closes its port at once, so that no other host can
// connect to it.
type Passive struct {
	listener transport.Listener
	port     uint16
	client   netip.Addr
	ports    *Ports
	proxied  atomic.Int32  // data connections that wait for their PROXY header
	done     chan struct{} // closed when conn or err is set

	mu       sync.Mutex
	timer    *time.Timer    // guarded by mu; closes the listener if the client does not connect
	conn     transport.Conn // guarded by mu
	err      error          // guarded by mu; also why conn cannot be used any more
	stranger string         // guarded by mu; the last peer that was turned away
	refused  refusedData    // guarded by mu
}

var errClosed = errors.New("not used")

func newPassive(l transport.Listener, port uint16, client netip.Addr, of *Ports) *Passive {
	p := &Passive{
		listener: l, port: port, client: client, ports: of, done: make(chan struct{}),
	}
	p.startTimer()
	go p.accept() // ends with the listener, which the timer or Close closes
	return p
}

// Port returns the port to which the client may connect.
func (p *Passive) Port() uint16 { return p.port }

// startTimer gives the client its full time, from now on.
func (p *Passive) startTimer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return // a timer would keep the connection in memory
	default:
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.ports.wait > 0 {
		p.timer = time.AfterFunc(p.ports.wait, func() { p.finish(nil, os.ErrDeadlineExceeded) })
	}
}

func (p *Passive) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			p.finish(nil, err)
			return
		}
		if !p.takeProxied(c) && p.take(c) {
			return
		}
	}
}

// take takes c as the data connection. It returns false for a stranger, which is turned away while
// the client may still connect (RFC 2577 §4).
func (p *Passive) take(c transport.Conn) bool {
	if !p.allows(c.Remote().Addr()) {
		p.turnAway(c, nil)
		return false
	}
	if !p.finish(c, nil) {
		c.Close()
	}
	return true
}

// allows reports whether a peer is the client or in data.foreign_networks. Hosts of two links may
// have the same link-local address, so the zone counts, which the kernel reports for both
// connections.
func (p *Passive) allows(peer netip.Addr) bool {
	return peer == p.client || p.ports.foreign.Contains(peer)
}

// turnAway closes a connection that is not the client's. err is the failure of its PROXY header, or
// nil.
func (p *Passive) turnAway(c transport.Conn, err error) {
	p.mu.Lock()
	p.stranger = c.Remote().Addr().String()
	if err != nil {
		p.stranger += fmt.Sprintf(" (%v)", err)
	}
	p.mu.Unlock()
	c.Close()
}

// maxProxied bounds the connections to one passive port that wait for their PROXY header.
const maxProxied = 8

// takeProxied reports whether c comes from a load balancer. Such a connection is taken when its
// PROXY header has arrived; other connections may arrive before that.
func (p *Passive) takeProxied(c transport.Conn) bool {
	if !p.ports.proxies.Contains(c.Remote().Addr()) {
		return false
	}
	if p.proxied.Add(1) > maxProxied {
		p.proxied.Add(-1)
		p.turnAway(c, errors.New("too many wait to be introduced"))
		return true
	}
	go func() { // ends at the header's deadline
		defer p.proxied.Add(-1)
		c.SetReadDeadline(transport.ProxyHeaderDeadline(p.ports.wait))
		if err := transport.ReadProxyHeader(c); err != nil {
			p.turnAway(c, err)
		} else {
			p.take(c)
		}
	}()
	return true
}

// finish sets what Open returns. It returns false, and does nothing, after the first call.
func (p *Passive) finish(c transport.Conn, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return false
	default:
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.conn, p.err = c, err
	close(p.done)
	p.listener.Close()
	p.holdLocked()
	return true
}

// Open waits for the client's data connection. The client has its full time from this call on.
func (p *Passive) Open(ctx context.Context) (transport.Conn, error) {
	p.startTimer()
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Close()
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.failureLocked(); err != nil {
		return nil, err
	}
	return p.conn, nil
}

// failureLocked returns why there is no data connection, as an *OpenError, or nil as long as there
// may be one.
func (p *Passive) failureLocked() error {
	switch {
	case p.err == nil:
		return nil
	case p.conn != nil:
		return &OpenError{Spent, p.err}
	case p.stranger != "":
		err := fmt.Errorf("port %d: %w; %s was turned away", p.port, p.err, p.stranger)
		return &OpenError{NoClient, err}
	}
	return &OpenError{NoClient, fmt.Errorf("port %d: %w", p.port, p.err)}
}

// Close closes the port and the data connection. A connection that hold reads is closed by hold: a
// Finish here would wait for its reader.
func (p *Passive) Close() {
	if p.finish(nil, errClosed) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.conn == nil:
	case p.refused.decided != nil:
		p.refused.closed = true
		p.conn.SetReadDeadline(transport.PastDeadline)
	default:
		p.conn.Finish()
	}
}
