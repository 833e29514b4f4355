// Package memnet has connections in memory for tests in a synctest bubble: every wait in it blocks
// durably, so that the bubble's clock advances. The connections behave as TCP does where that
// matters: a bounded buffer, deadlines, half-close, and a reset by a close with unread bytes.
package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"ftpd/pkg/transport"
)

// WindowSize is the number of bytes that one direction of a connection holds unread.
const WindowSize = 64 << 10

// A stream is one direction of a connection.
type stream struct {
	mu           sync.Mutex
	moved        *sync.Cond
	data         []byte
	ended        bool // FIN
	reset        bool // RST
	readerClosed bool
	readBy       time.Time
	writeBy      time.Time
	readTimer    *time.Timer
	writeTimer   *time.Timer
}

func newStream() *stream {
	s := &stream{}
	s.moved = sync.NewCond(&s.mu)
	return s
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case passed(s.readBy):
			return 0, os.ErrDeadlineExceeded
		case s.readerClosed:
			return 0, net.ErrClosed
		case s.reset:
			return 0, syscall.ECONNRESET
		case len(s.data) > 0:
			n := copy(p, s.data)
			s.data = s.data[n:]
			s.moved.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.moved.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case passed(s.writeBy):
			return n, os.ErrDeadlineExceeded
		case s.ended:
			return n, net.ErrClosed
		case s.reset || s.readerClosed:
			return n, syscall.ECONNRESET
		case len(p) == 0:
			return n, nil
		}
		if room := WindowSize - len(s.data); room > 0 {
			k := min(room, len(p))
			s.data = append(s.data, p[:k]...)
			p, n = p[k:], n+k
			s.moved.Broadcast()
			continue
		}
		s.moved.Wait()
	}
}

// deadline sets a deadline. It wakes the waiting goroutines now and when the deadline passes.
func (s *stream) deadline(by *time.Time, timer **time.Timer, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*by = t
	if *timer != nil {
		(*timer).Stop()
		*timer = nil
	}
	if d := time.Until(t); !t.IsZero() && d > 0 {
		*timer = time.AfterFunc(d, s.moved.Broadcast)
	}
	s.moved.Broadcast()
}

func (s *stream) set(flag *bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*flag = true
	s.moved.Broadcast()
}

// A Conn is one end of a connection in memory.
type Conn struct {
	in, out       *stream
	local, remote netip.AddrPort
}

// Pipe returns both ends of a new connection. The first end has the address server.
func Pipe(server, client netip.AddrPort) (*Conn, *Conn) {
	a, b := newStream(), newStream()
	return &Conn{in: a, out: b, local: server, remote: client},
		&Conn{in: b, out: a, local: client, remote: server}
}

func (c *Conn) Read(p []byte) (int, error)      { return c.in.read(p) }
func (c *Conn) Write(p []byte) (int, error)     { return c.out.write(p) }
func (c *Conn) Local() netip.AddrPort           { return c.local }
func (c *Conn) Remote() netip.AddrPort          { return c.remote }
func (c *Conn) SetRemote(client netip.AddrPort) { c.remote = client }
func (c *Conn) LocalAddr() net.Addr             { return net.TCPAddrFromAddrPort(c.local) }
func (c *Conn) RemoteAddr() net.Addr            { return net.TCPAddrFromAddrPort(c.remote) }

// Unacknowledged returns the number of bytes that the other end has not read.
func (c *Conn) Unacknowledged() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return len(c.out.data)
}

// Unread returns the number of bytes that have arrived and are unread.
func (c *Conn) Unread() int {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return len(c.in.data)
}

// Ended reports whether the other end has closed its side or reset the connection. It never waits.
func (c *Conn) Ended(time.Duration) bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.ended || c.in.reset
}

// Silent reports whether neither a byte nor the end is unread.
func (c *Conn) Silent() bool {
	c.SetReadDeadline(time.Time{})
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return len(c.in.data) == 0 && !c.in.ended && !c.in.reset
}

// SetReadDeadline sets the deadline of reads; the zero time removes it.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.deadline(&c.in.readBy, &c.in.readTimer, t)
	return nil
}

// SetWriteDeadline sets the deadline of writes; the zero time removes it.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.deadline(&c.out.writeBy, &c.out.writeTimer, t)
	return nil
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Await reads into a buffer that it holds while it waits.
func (c *Conn) Await(buffers *transport.Buffers) (*transport.Buffer, error) {
	buf := buffers.Get()
	n, err := c.Read(buf.Data)
	if err != nil {
		buffers.Put(buf)
		return nil, err
	}
	buf.Data = buf.Data[:n]
	return buf, nil
}

// CloseWrite ends what this end sends.
func (c *Conn) CloseWrite() error {
	c.out.set(&c.out.ended)
	return nil
}

// Close resets the connection if something is unread, as the kernel does.
func (c *Conn) Close() error {
	if c.Unread() > 0 {
		c.out.set(&c.out.reset)
	}
	c.in.set(&c.in.readerClosed)
	c.out.set(&c.out.ended)
	c.SetDeadline(time.Time{})
	return nil
}

// Linger reads until the read deadline what the other end still sends, and closes the connection.
func (c *Conn) Linger() {
	c.CloseWrite()
	io.Copy(io.Discard, c)
	c.Finish()
}

// Finish closes the connection without a reset.
func (c *Conn) Finish() error {
	c.CloseWrite()
	c.in.mu.Lock()
	c.in.data = nil
	c.in.mu.Unlock()
	return c.Close()
}

// Reset makes the reads and writes of the other end fail.
func (c *Conn) Reset() {
	c.out.set(&c.out.reset)
	c.in.set(&c.in.reset)
	c.Close()
}

// A Network is a transport.Network in memory. The zero value is ready.
type Network struct {
	mu        sync.Mutex
	listeners map[netip.AddrPort]*listener // guarded by mu
}

// Listen returns a listener, or transport.ErrPortBusy if the address has one.
func (n *Network) Listen(at netip.AddrPort) (transport.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[at] != nil {
		return nil, transport.ErrPortBusy
	}
	l := &listener{net: n, at: at, queue: make(chan *Conn, 16), closed: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = make(map[netip.AddrPort]*listener)
	}
	n.listeners[at] = l
	return l, nil
}

// Listeners returns the number of listeners that are open.
func (n *Network) Listeners() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.listeners)
}

// Connect connects from any address to a listener.
func (n *Network) Connect(from, to netip.AddrPort) (*Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[to]
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	server, client := Pipe(to, from)
	l.queue <- server
	return client, nil
}

// Dial connects to a listener in memory. At port 9999 it gets no answer and fails when ctx ends.
func (n *Network) Dial(
	ctx context.Context, from netip.Addr, to netip.AddrPort,
) (transport.Conn, error) {
	if to.Port() == 9999 {
		<-ctx.Done()
		return nil, os.ErrDeadlineExceeded
	}
	return n.Connect(netip.AddrPortFrom(from, 20), to)
}

// Connected returns errors.ErrUnsupported, because there are no sockets.
func (*Network) Connected(context.Context, *os.File) (transport.Conn, error) {
	return nil, errors.ErrUnsupported
}

type listener struct {
	net    *Network
	at     netip.AddrPort
	queue  chan *Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (transport.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.at)
		close(l.closed)
	})
	return nil
}
