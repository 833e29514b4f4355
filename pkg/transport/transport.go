// Package transport has the connections of a session, over TCP or in memory, and the network that
// makes data connections. It also reads the PROXY protocol header with which a connection from a
// load balancer begins. It has no FTP and no TLS.
package transport

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// A Conn is one connection of a session: the control connection or a data connection. The
// deadlines and Close may be called while another goroutine reads or writes. Only one goroutine
// at a time reads, and only one writes.
type Conn interface {
	net.Conn

	// Await waits without a buffer until the peer has sent something. Then it reads into a
	// buffer from buffers, which the caller puts back. At the end of the stream the error is
	// io.EOF. The read deadline ends the wait as it ends a Read.
	Await(buffers *Buffers) (*Buffer, error)

	// Finish closes the connection after everything that was written. It reads first what has
	// arrived, because the kernel answers a close with unread bytes by a reset, and a reset
	// makes the peer lose what it has not read yet.
	Finish() error

	// Linger sends the end of the stream, reads until the read deadline what the peer still
	// sends, 1 MiB at most, and then does what Finish does.
	Linger()

	// Unacknowledged returns the number of bytes that were written and that the peer's host
	// has not acknowledged. It is 0 where the system does not provide the number.
	Unacknowledged() int

	// Ended reports whether the peer has closed its side or reset the connection, even if bytes
	// before that end are unread. It may wait for the end as long as wait. Where the system
	// does not provide this, it reports whether a Read or an Await has met the end.
	Ended(wait time.Duration) bool

	// Silent reports whether nothing is unread: neither a byte nor the end. It may lose an
	// unread byte. It must not be called during a Read or an Await, and it removes the read
	// deadline.
	Silent() bool

	// Local returns the address of this end, Remote the address of the peer. An IPv4 address
	// that is mapped into IPv6 is returned as IPv4.
	Local() netip.AddrPort
	Remote() netip.AddrPort

	// SetRemote replaces the address that Remote returns by the address of the client for which
	// the peer, a load balancer, has connected. It must not be called while another goroutine
	// uses the connection.
	SetRemote(client netip.AddrPort)
}

// BufferSize is the size of a Buffer in bytes.
const BufferSize = 8 << 10

// A Buffer holds what one Await has read. Its owner may use all BufferSize bytes.
type Buffer struct {
	Data []byte // a part of room, from its beginning
	room [BufferSize]byte
}

// Buffers is a pool of Buffers; an idle session has none. The zero value is ready, and it may be
// used by several goroutines.
type Buffers struct{ pool sync.Pool }

// Get returns a buffer with BufferSize bytes of Data, with arbitrary values.
func (b *Buffers) Get() *Buffer {
	buf, ok := b.pool.Get().(*Buffer)
	if !ok {
		buf = new(Buffer)
	}
	buf.Data = buf.room[:]
	return buf
}

// Put gives a buffer back; nil is allowed. The caller must not keep a slice of its Data.
func (b *Buffers) Put(buf *Buffer) {
	if buf != nil {
		b.pool.Put(buf)
	}
}

// A Block is a buffer for bytes that are copied between a data connection and a file.
type Block [256 << 10]byte

// Blocks is a pool of Blocks. The zero value is ready, and it may be used by several goroutines.
type Blocks struct{ pool sync.Pool }

// Get returns a block with arbitrary values.
func (b *Blocks) Get() *Block {
	if p, ok := b.pool.Get().(*Block); ok {
		return p
	}
	return new(Block)
}

// Put gives a block back. The caller must not keep a slice of it.
func (b *Blocks) Put(p *Block) { b.pool.Put(p) }

// A Network makes data connections. TCP is the network of the system.
type Network interface {
	// Listen binds a listener to exactly this address. The error is ErrPortBusy if only the port
	// prevents that.
	Listen(netip.AddrPort) (Listener, error)
	// Dial connects from an address of this host to a peer, until ctx ends. If from is invalid,
	// the system chooses the address.
	Dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (Conn, error)
	// Connected returns the connection of a TCP socket that has begun to connect. It waits until
	// the socket is connected, or until ctx ends. It closes the socket in any case.
	Connected(ctx context.Context, socket *os.File) (Conn, error)
}

// A Listener waits for data connections. Close ends a pending Accept.
type Listener interface {
	Accept() (Conn, error)
	Close() error
}

// PastDeadline is a deadline that has passed. Setting it ends a wait at once.
var PastDeadline = time.Unix(1, 0)

// addrPort returns the address of a TCP connection. A dual-stack socket has IPv4 addresses mapped
// into IPv6; they are returned as IPv4.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
