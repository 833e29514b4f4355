package core

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"ftpd/pkg/zerocopy"
)

// ErrPortBusy says that somebody else listens on the port.
var ErrPortBusy = errors.New("port is busy")

// A rawConn is the TCP connection under everything that a session reads and writes: it remembers that the stream has ended, which
// the layers above may not tell apart from an end of their own.
type rawConn struct {
	*net.TCPConn
	raw           syscall.RawConn
	local, remote netip.AddrPort
	eof           atomic.Bool // the peer has closed its side
	ready         readiness   // of Await; the reader's
	control       bool        // it is a control connection; set before its first write
}

func newRawConn(c *net.TCPConn) (*rawConn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &rawConn{TCPConn: c, raw: raw, local: addrPort(c.LocalAddr()), remote: addrPort(c.RemoteAddr())}
	r.ready.init()
	c.SetKeepAliveConfig(keepAlive)
	return r, nil
}

func (c *rawConn) Local() netip.AddrPort  { return c.local }
func (c *rawConn) Remote() netip.AddrPort { return c.remote }

func (c *rawConn) Relay(client netip.AddrPort) { c.remote = client }

func (c *rawConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if err == io.EOF {
		c.eof.Store(true)
	}
	return n, err
}

// Write writes all of p. On a control connection the next write begins a TCP segment, since middle
// boxes look for replies at the beginning of segments alone (Linux's nf_conntrack_ftp).
func (c *rawConn) Write(p []byte) (int, error) {
	if c.control {
		n, err := zerocopy.WriteApart(c.raw, p)
		if !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
	}
	return c.TCPConn.Write(p)
}

func (c *rawConn) Unacknowledged() int { return zerocopy.Unacknowledged(c.raw) }

func (c *rawConn) Ended(wait time.Duration) bool { return c.eof.Load() || zerocopy.Ended(c.raw, wait) }

// lingering bounds what Finish and Linger read from a peer that goes on sending.
const lingering = 1 << 20

func (c *rawConn) Finish() error {
	if err := c.CloseWrite(); err == nil && !c.eof.Load() {
		c.SetReadDeadline(time.Time{})
		c.drain(lingering)
	}
	return c.TCPConn.Close()
}

func (c *rawConn) Linger() {
	if err := c.CloseWrite(); err == nil {
		io.CopyN(io.Discard, c, lingering)
	}
	c.Finish()
}

// setControl sets what a control connection needs. SO_OOBINLINE keeps the urgent byte in the stream: Python's ftplib sends ABOR as
// urgent data, and its last byte would be missing otherwise. Go has switched off Nagle's algorithm already.
func (c *rawConn) setControl() {
	c.control = true
	c.raw.Control(setInline)
	zerocopy.GiveUpAfter(c.raw, vanished)
}

// A host that has vanished (its power or its network failed, some NAT has forgotten it) tells nobody. While it owes nothing it is asked now
// and then whether it is there; what it does not acknowledge is sent again. Both end the connection after this time.
const vanished = 2 * time.Minute

// keepAlive asks often enough, too, for a NAT that forgets a silent connection after some minutes, as the control connection of a long
// transfer is.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: vanished / 2, Interval: vanished / 8, Count: 4}

// setData sets what a data connection needs. The kernel also counts the time in which a host that is there takes nothing: for that there
// is the stall clock, which comes first; without one it may take for ever.
func (c *rawConn) setData(stall time.Duration) {
	if stall > 0 {
		zerocopy.GiveUpAfter(c.raw, 2*max(stall, vanished/2))
	}
}

// tcp is the Network of the system.
type tcp struct{}

func (tcp) Listen(at netip.AddrPort) (Listener, error) {
	network := "tcp6"
	if at.Addr().Is4() {
		network = "tcp4"
	}
	var lc net.ListenConfig // sets SO_REUSEADDR where that does not let two listeners share a port
	l, err := lc.Listen(context.Background(), network, at.String())
	if err != nil {
		if portBusy(err) {
			return nil, ErrPortBusy
		}
		return nil, err
	}
	return tcpListener{l.(*net.TCPListener)}, nil
}

func (tcp) Dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (Conn, error) {
	var d net.Dialer
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return wrapped(c.(*net.TCPConn))
}

// wrapped is newRawConn for what knows a Conn alone: an error leaves nil, and closes c.
func wrapped(c *net.TCPConn) (Conn, error) {
	r, err := newRawConn(c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return r, nil
}

type tcpListener struct{ l *net.TCPListener }

func (t tcpListener) Close() error { return t.l.Close() }

func (t tcpListener) Accept() (Conn, error) {
	c, err := t.l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return wrapped(c)
}
