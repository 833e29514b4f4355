package transport

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

// ErrPortBusy is the error of Listen if another socket has the port.
var ErrPortBusy = errors.New("port is busy")

// A TCPConn is a Conn over TCP. It remembers that the stream has ended, because a layer above,
// such as TLS, may report that end as an end of its own stream.
type TCPConn struct {
	*net.TCPConn
	raw           syscall.RawConn
	local, remote netip.AddrPort
	eof           atomic.Bool // the peer has closed its side
	ready         readiness   // of Await; owned by the reading goroutine
	control       bool        // it is a control connection; set before its first write
}

// NewTCPConn returns a Conn that owns c. After an error the caller still owns c.
func NewTCPConn(c *net.TCPConn) (*TCPConn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	t := &TCPConn{TCPConn: c, raw: raw, local: addrPort(c.LocalAddr()),
		remote: addrPort(c.RemoteAddr())}
	t.ready.init()
	c.SetKeepAliveConfig(keepAlive)
	return t, nil
}

// Local returns the address of this end.
func (c *TCPConn) Local() netip.AddrPort { return c.local }

// Remote returns the address of the peer, or of its client after SetRemote.
func (c *TCPConn) Remote() netip.AddrPort { return c.remote }

// SetRemote replaces the address that Remote returns.
func (c *TCPConn) SetRemote(client netip.AddrPort) { c.remote = client }

// Read reads as io.Reader does.
func (c *TCPConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if err == io.EOF {
		c.eof.Store(true)
	}
	return n, err
}

// Write writes all of p. On a control connection the next write begins a TCP segment, because
// middle boxes search replies only at the beginning of segments (Linux's nf_conntrack_ftp).
func (c *TCPConn) Write(p []byte) (int, error) {
	if c.control {
		n, err := zerocopy.WriteApart(c.raw, p)
		if !errors.Is(err, errors.ErrUnsupported) {
			return n, err
		}
	}
	return c.TCPConn.Write(p)
}

// Raw returns the socket, for calls that move bytes inside the kernel.
func (c *TCPConn) Raw() syscall.RawConn { return c.raw }

// Pace bounds the rate in bytes per second at which the kernel sends, where the system supports
// that.
func (c *TCPConn) Pace(rate int64) { zerocopy.Pace(c.raw, rate) }

// Unacknowledged returns the number of bytes that the peer's host has not acknowledged.
func (c *TCPConn) Unacknowledged() int { return zerocopy.Unacknowledged(c.raw) }

// Ended reports whether the peer has closed its side or reset the connection.
func (c *TCPConn) Ended(wait time.Duration) bool {
	return c.eof.Load() || zerocopy.Ended(c.raw, wait)
}

// maxUnread bounds the bytes that Finish and Linger read from a peer that goes on sending.
const maxUnread = 1 << 20

// Finish closes the connection after everything that was written.
func (c *TCPConn) Finish() error {
	if err := c.CloseWrite(); err == nil && !c.eof.Load() {
		c.SetReadDeadline(time.Time{})
		c.drain(maxUnread)
	}
	return c.TCPConn.Close()
}

// Linger reads until the read deadline what the peer still sends, and closes the connection.
func (c *TCPConn) Linger() {
	if err := c.CloseWrite(); err == nil {
		io.CopyN(io.Discard, c, maxUnread)
	}
	c.Finish()
}

// SetControl sets the options of a control connection; it must be called before the first write.
// SO_OOBINLINE keeps the urgent byte in the stream: Python's ftplib sends ABOR as urgent data, and
// its last byte would be missing otherwise. Go has switched off Nagle's algorithm already.
func (c *TCPConn) SetControl() {
	c.control = true
	c.raw.Control(setInline)
	zerocopy.GiveUpAfter(c.raw, vanished)
}

// vanished is the time after which a connection to a host that has vanished ends. No packet
// announces that a host has lost its power or its network, or that a NAT has forgotten the
// connection. While the connection is silent, keep-alive probes find that out; otherwise the
// kernel sends again what is not acknowledged. Both end after this time.
const vanished = 2 * time.Minute

// keepAlive sends probes often enough for a NAT that forgets a connection after some minutes of
// silence. The control connection of a long transfer is silent.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: vanished / 2, Interval: vanished / 8,
	Count: 4}

// SetData sets the options of a data connection. The kernel's limit also counts the time in which
// a present host takes nothing. The stall clock bounds that time and must come first. So the
// kernel's limit is longer than stall, and it is not set without a stall clock (0), because a peer
// may then take nothing for any time.
func (c *TCPConn) SetData(stall time.Duration) {
	if stall > 0 {
		zerocopy.GiveUpAfter(c.raw, 2*max(stall, vanished/2))
	}
}

// TCP is the Network of the system.
var TCP Network = tcp{}

type tcp struct{}

// Listen relies on net.ListenConfig, which sets SO_REUSEADDR only on systems where two listeners
// cannot share a port by it.
func (tcp) Listen(at netip.AddrPort) (Listener, error) {
	network := "tcp6"
	if at.Addr().Is4() {
		network = "tcp4"
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // a core may make sockets for TCP alone
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
	return newConn(c.(*net.TCPConn))
}

// newConn returns a TCPConn as a Conn. After an error the Conn is nil, and c is closed.
func newConn(c *net.TCPConn) (Conn, error) {
	t, err := NewTCPConn(c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

type tcpListener struct{ l *net.TCPListener }

func (t tcpListener) Close() error { return t.l.Close() }

func (t tcpListener) Accept() (Conn, error) {
	c, err := t.l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return newConn(c)
}
