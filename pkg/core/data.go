package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ftpd/pkg/transport"
)

// A dataOpener is what PASV or PORT prepared for the next transfer.
type dataOpener interface { // *passive, *active
	// open waits for the data connection, for as long as data connections may take. It is called once.
	open(context.Context) (transport.Conn, error)
	// claim takes it for a transfer that begins. The error is the reply where it is known that there will be no data connection.
	claim() error
	// refuse is called when the reply to a transfer command was a refusal: what was prepared may serve the next one.
	refuse(private bool)
	close()
}

var (
	errNoData   = reply(425, "Use PASV, EPSV, PORT or EPRT first.")
	errNoPort   = reply(425, "Cannot open a passive port.")
	errNobody   = reply(425, "No data connection was made.")
	errReplaced = errors.New("not used")
)

// A passive waits for the client's data connection. The first connection from the right address is taken and the port given back at
// once, so that it is nobody else's to connect to.
type passive struct {
	listener transport.Listener
	port     uint16
	client   netip.Addr
	of       *ports
	awaited  atomic.Int32  // data connections whose PROXY header is awaited
	done     chan struct{} // closed when conn or err is there

	mu       sync.Mutex
	timer    *time.Timer    // guarded by mu; closes the listener when nobody comes
	conn     transport.Conn // guarded by mu
	err      error          // guarded by mu; also why conn cannot be used any more
	stranger string         // guarded by mu; the last one that was turned away
	refused  refusedData    // guarded by mu
}

func newPassive(l transport.Listener, port uint16, client netip.Addr, of *ports) *passive {
	p := &passive{listener: l, port: port, client: client, of: of, done: make(chan struct{})}
	p.await()
	go p.accept() // ends with the listener, which the timer or close closes
	return p
}

// await gives the client its full time, from now on.
func (p *passive) await() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return // the client is there already, and a timer would keep its connection in memory
	default:
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.of.patient > 0 {
		p.timer = time.AfterFunc(p.of.patient, func() { p.finish(nil, os.ErrDeadlineExceeded) })
	}
}

func (p *passive) accept() {
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

// take settles who the client's data connection is. It is false for a stranger, who is turned away while the right one may still come
// (RFC 2577 §4).
func (p *passive) take(c transport.Conn) bool {
	if !p.welcome(c.Remote().Addr()) {
		p.turnAway(c, nil)
		return false
	}
	if !p.finish(c, nil) {
		c.Close()
	}
	return true
}

// turnAway closes a connection that is not the client's, or whose header (why) is no good.
func (p *passive) turnAway(c transport.Conn, why error) {
	p.mu.Lock()
	p.stranger = c.Remote().Addr().String()
	if why != nil {
		p.stranger += fmt.Sprintf(" (%v)", why)
	}
	p.mu.Unlock()
	c.Close()
}

// maxProxiedData bounds the connections to one passive port whose PROXY header is awaited.
const maxProxiedData = 8

// takeProxied reports whether a data connection comes from a load balancer. Such a connection is
// taken when its PROXY header has arrived; other connections may arrive before that.
func (p *passive) takeProxied(c transport.Conn) bool {
	if !p.of.proxies.Contains(c.Remote().Addr()) {
		return false
	}
	if p.awaited.Add(1) > maxProxiedData {
		p.awaited.Add(-1)
		p.turnAway(c, errors.New("too many wait to be introduced"))
		return true
	}
	go func() { // ends at the header's deadline
		defer p.awaited.Add(-1)
		c.SetReadDeadline(transport.ProxyHeaderDeadline(p.of.patient))
		if err := transport.ReadProxyHeader(c); err != nil {
			p.turnAway(c, err)
		} else {
			p.take(c)
		}
	}()
	return true
}

func (p *passive) welcome(peer netip.Addr) bool {
	return peer.WithZone("") == p.client.WithZone("") || p.of.foreign.Contains(peer)
}

// finish settles what open returns; only the first call counts.
func (p *passive) finish(c transport.Conn, err error) bool {
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

func (p *passive) open(ctx context.Context) (transport.Conn, error) {
	p.await()
	select {
	case <-p.done:
	case <-ctx.Done():
		p.close()
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn, p.failureLocked()
}

// failureLocked is why there is no data connection, as far as that is known.
func (p *passive) failureLocked() error {
	switch {
	case p.err == nil:
		return nil
	case p.conn != nil:
		return errNoData.Because(p.err)
	case p.stranger != "":
		return errNobody.Because(fmt.Errorf("port %d: %w; %s was turned away", p.port, p.err, p.stranger))
	}
	return errNobody.Because(fmt.Errorf("port %d: %w", p.port, p.err))
}

// close gives the port back, and the data connection. Where hold reads that, to finish it would wait for the reader, which ends it
// itself.
func (p *passive) close() {
	if p.finish(nil, errReplaced) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.conn == nil:
	case p.refused.held != nil:
		p.refused.closed = true
		p.conn.SetReadDeadline(transport.PastDeadline)
	default:
		p.conn.Finish()
	}
}

// dropOpener gives back what PASV or PORT prepared.
func (s *Session) dropOpener() {
	if s.opener != nil {
		s.opener.close()
		s.opener = nil
	}
}

// claim takes what PASV or PORT prepared for a transfer that begins.
func (s *Session) claim() error {
	if s.opener == nil {
		return errNoData
	}
	return s.opener.claim()
}

// A dataConn is the server-DTP's end of one data connection (RFC 959 §2.3). It fails with errStalled when no byte moves for as long as
// the client may take, and with ctx's cause when that ends.
type dataConn struct {
	conn   transport.Conn
	secure *secureData   // nil without TLS
	stall  time.Duration // 0 is for ever
	moved  atomic.Int64  // bytes so far, without what TLS adds

	// The transfer's goroutine owns the following.
	last  time.Time // when a byte moved, or the wait for one began
	armed bool      // a deadline is set
	queue int       // bytes that were unacknowledged when last looked at
}

// looks is how often a wait looks whether bytes move: a write that is cut short does not tell when the last one did.
const looks = 8

// arm sets the deadline for the next wait. It stays until it passes, however many bytes move meanwhile, and is then looked at again:
// a deadline for each piece would cost more than some pieces.
func (d *dataConn) arm(ctx context.Context) error {
	if d.stall > 0 && !d.armed {
		now := time.Now()
		due := d.last.Add(d.stall)
		if !now.Before(due) {
			return errStalled
		}
		if soon := now.Add(d.stall / looks); soon.Before(due) {
			due = soon
		}
		d.armed = true
		d.conn.SetDeadline(due)
	}
	return context.Cause(ctx) // after the deadline, which may have undone the wake
}

// look looks, after a deadline, whether bytes have moved. A socket takes no more until a third of its buffer is free, which with a slow
// client takes minutes; but what it holds becomes less all the time.
func (d *dataConn) look() {
	d.armed = false
	if d.stall == 0 { // the control connection has ended: without a bound this one could stay for ever
		d.stall, d.last = unattendedStall, time.Now()
	}
	queue := d.conn.Unacknowledged()
	if queue < d.queue {
		d.last = time.Now()
	}
	d.queue = queue
}

// read reads some bytes, or waits for them. The end of the stream is io.EOF as it is; everything else is a connError.
func (d *dataConn) read(ctx context.Context, p []byte) (n int, err error) {
	if d.secure != nil {
		n, err = d.secure.read(ctx, p)
	} else {
		n, err = d.receive(ctx, p)
	}
	d.moved.Add(int64(n))
	return n, d.failure(ctx, err)
}

// write writes all of p.
func (d *dataConn) write(ctx context.Context, p []byte) error {
	if d.secure == nil {
		return d.send(ctx, p)
	}
	err := d.secure.write(ctx, p)
	if err == nil {
		d.moved.Add(int64(len(p)))
	}
	return d.failure(ctx, err)
}

// failure makes an error of TLS a connError, too.
func (d *dataConn) failure(ctx context.Context, err error) error {
	_, is := errors.AsType[*connError](err)
	if is || err == nil || err == io.EOF || errors.Is(err, errStalled) || ctx.Err() != nil {
		return err
	}
	return &connError{err}
}

// receive reads from the connection itself.
func (d *dataConn) receive(ctx context.Context, p []byte) (int, error) {
	d.last = time.Now()
	for {
		if err := d.arm(ctx); err != nil {
			return 0, err
		}
		n, err := d.conn.Read(p)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			d.look()
		case err == io.EOF:
			return 0, err
		default:
			return 0, &connError{err}
		}
	}
}

// send writes to the connection itself.
func (d *dataConn) send(ctx context.Context, p []byte) error {
	d.last = time.Now()
	for {
		if err := d.arm(ctx); err != nil {
			return err
		}
		n, err := d.conn.Write(p)
		if n > 0 {
			if d.secure == nil {
				d.moved.Add(int64(n))
			}
			d.last = time.Now()
			p = p[n:]
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			d.look()
		default:
			return &connError{err}
		}
	}
}
