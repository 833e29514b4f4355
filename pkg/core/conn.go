package core

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// A Conn is one connection of a session: the control connection or a data connection, over TCP or, in tests, in memory.
// Deadlines and Close may be called while another goroutine reads or writes.
type Conn interface {
	net.Conn

	// Await waits without a buffer until the peer has sent something, and then reads it into one from buffers. The caller puts
	// the buffer back. At the end of the stream the error is io.EOF; a read deadline ends the wait like a Read.
	Await(buffers *Buffers) (*Buffer, error)

	// Finish closes the connection after all that was written. It first reads what the peer has sent already, because the kernel
	// answers a close over unread bytes with a reset, and a reset makes the peer lose what it has not read yet.
	Finish() error

	// Linger is a Finish that first reads, until the read deadline, what the peer still sends, up to a bound.
	Linger()

	// Unacknowledged is how many bytes were written and have not reached the peer's host, 0 where the system does not tell.
	Unacknowledged() int

	// Ended says whether the peer has closed its side, or reset the connection, even where bytes lie unread before that end. It may
	// wait for that. Where the system does not tell, it says whether a read has met the end.
	Ended(wait time.Duration) bool

	// Silent reports whether nothing lies unread: no byte and no end. Nothing else may read; what lies there may be lost. It
	// leaves no read deadline.
	Silent() bool

	Local() netip.AddrPort
	Remote() netip.AddrPort

	// Relay says for which client the peer, a balancer, has connected: Remote is that from now on. Nobody else may use the connection yet.
	Relay(client netip.AddrPort)
}

// A Buffer is what one read of a control connection brought.
type Buffer struct {
	Data []byte // lies in room
	room [8 << 10]byte
}

// Buffers lends out Buffers; an idle session has none.
type Buffers struct{ pool sync.Pool }

// Get takes a buffer, whose Data is all of its room.
func (b *Buffers) Get() *Buffer {
	buf, ok := b.pool.Get().(*Buffer)
	if !ok {
		buf = new(Buffer)
	}
	buf.Data = buf.room[:]
	return buf
}

// Put gives a buffer back; nobody may hold a slice of its Data any more.
func (b *Buffers) Put(buf *Buffer) {
	if buf != nil {
		b.pool.Put(buf)
	}
}

// A Network is where data connections come from.
type Network interface {
	// Listen binds a listener to exactly this address. The error is ErrPortBusy when only the port is in the way.
	Listen(netip.AddrPort) (Listener, error)
	// Dial connects from an address of this host, or from any where that is invalid, until ctx ends.
	Dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (Conn, error)
	// DialOn connects a socket that is bound already, and takes it over.
	DialOn(ctx context.Context, socket *os.File, to netip.AddrPort) (Conn, error)
}

// A Listener waits for data connections. Close ends a pending Accept.
type Listener interface {
	Accept() (Conn, error)
	Close() error
}

// addrPort is a network address as a value; IPv4 addresses mapped into IPv6 become IPv4, which a dual-stack socket shows them as.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// atOnce is a deadline that has passed: it ends a wait.
var atOnce = time.Unix(1, 0)
