package core

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
)

// Connections in memory, for a synctest bubble: whatever waits here blocks durably, so that the bubble's clock goes on. They behave as
// TCP does where it matters: a bounded buffer, deadlines, half-close, and a reset from a close over unread bytes.

// windowSize is what one direction holds when nobody reads.
const windowSize = 64 << 10

// A stream is one direction.
type stream struct {
	mu       sync.Mutex
	moved    *sync.Cond
	data     []byte
	ended    bool // FIN
	broken   bool // RST
	deaf     bool // the reader has closed
	readBy   time.Time
	writeBy  time.Time
	readers  *time.Timer
	writers  *time.Timer
	received int64
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
		case s.deaf:
			return 0, net.ErrClosed
		case s.broken:
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
		case s.broken || s.deaf:
			return n, syscall.ECONNRESET
		case len(p) == 0:
			return n, nil
		}
		if room := windowSize - len(s.data); room > 0 {
			k := min(room, len(p))
			s.data = append(s.data, p[:k]...)
			s.received += int64(k)
			p, n = p[k:], n+k
			s.moved.Broadcast()
			continue
		}
		s.moved.Wait()
	}
}

// deadline sets a deadline and wakes who waits, now and then.
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

// memConn is one end of a connection in memory.
type memConn struct {
	in, out       *stream
	local, remote netip.AddrPort
}

// memPipe makes a connection; the first end is at server's address.
func memPipe(server, client netip.AddrPort) (*memConn, *memConn) {
	a, b := newStream(), newStream()
	return &memConn{in: a, out: b, local: server, remote: client}, &memConn{in: b, out: a, local: client, remote: server}
}

func (c *memConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *memConn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *memConn) Local() netip.AddrPort       { return c.local }
func (c *memConn) Remote() netip.AddrPort      { return c.remote }
func (c *memConn) Relay(client netip.AddrPort) { c.remote = client }
func (c *memConn) LocalAddr() net.Addr         { return net.TCPAddrFromAddrPort(c.local) }
func (c *memConn) RemoteAddr() net.Addr        { return net.TCPAddrFromAddrPort(c.remote) }

func (c *memConn) Unacknowledged() int {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return len(c.out.data)
}

func (c *memConn) Ended(time.Duration) bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.ended || c.in.broken
}

func (c *memConn) Silent() bool {
	c.SetReadDeadline(time.Time{})
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return len(c.in.data) == 0 && !c.in.ended && !c.in.broken
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.deadline(&c.in.readBy, &c.in.readers, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.deadline(&c.out.writeBy, &c.out.writers, t)
	return nil
}

func (c *memConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *memConn) Await(buffers *Buffers) (*Buffer, error) {
	buf := buffers.Get()
	n, err := c.Read(buf.Data)
	if err != nil {
		buffers.Put(buf)
		return nil, err
	}
	buf.Data = buf.Data[:n]
	return buf, nil
}

func (c *memConn) CloseWrite() error {
	c.out.set(&c.out.ended)
	return nil
}

// Close resets the connection when there is something unread, as the kernel does.
func (c *memConn) Close() error {
	c.in.mu.Lock()
	unread := len(c.in.data) > 0
	c.in.mu.Unlock()
	if unread {
		c.out.set(&c.out.broken)
	}
	c.in.set(&c.in.deaf)
	c.out.set(&c.out.ended)
	c.SetDeadline(time.Time{})
	return nil
}

func (c *memConn) Linger() {
	c.CloseWrite()
	io.Copy(io.Discard, c)
	c.Finish()
}

func (c *memConn) Finish() error {
	c.CloseWrite()
	c.in.mu.Lock()
	c.in.data = nil
	c.in.mu.Unlock()
	return c.Close()
}

// reset makes the other end's reads and writes fail.
func (c *memConn) reset() {
	c.out.set(&c.out.broken)
	c.in.set(&c.in.broken)
	c.Close()
}

// memNet is a Network in memory.
type memNet struct {
	mu        sync.Mutex
	listeners map[netip.AddrPort]*memListener // guarded by mu
}

func (m *memNet) Listen(at netip.AddrPort) (Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners[at] != nil {
		return nil, ErrPortBusy
	}
	l := &memListener{net: m, at: at, queue: make(chan *memConn, 16), closed: make(chan struct{})}
	if m.listeners == nil {
		m.listeners = make(map[netip.AddrPort]*memListener)
	}
	m.listeners[at] = l
	return l, nil
}

// dial connects from one address to another.
func (m *memNet) dial(from, to netip.AddrPort) (*memConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.listeners[to]
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	server, client := memPipe(to, from)
	l.queue <- server
	return client, nil
}

// Dial connects to who listens in memory. Nobody answers at the discard port, for as long as ctx lets one wait.
func (m *memNet) Dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (Conn, error) {
	if to.Port() == 9999 {
		<-ctx.Done()
		return nil, os.ErrDeadlineExceeded
	}
	return m.dial(netip.AddrPortFrom(from, 20), to)
}

// DialOn has no sockets.
func (*memNet) DialOn(context.Context, *os.File, netip.AddrPort) (Conn, error) {
	return nil, errors.ErrUnsupported
}

type memListener struct {
	net    *memNet
	at     netip.AddrPort
	queue  chan *memConn
	closed chan struct{}
	once   sync.Once
}

func (l *memListener) Accept() (Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		defer l.net.mu.Unlock()
		delete(l.net.listeners, l.at)
		close(l.closed)
	})
	return nil
}
