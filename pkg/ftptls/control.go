package ftptls

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"ftpd/pkg/transport"
)

// A Control is the TLS of a control connection. It stands between the bytes that Await returns and
// the command lines: Put adds the bytes that have arrived, and Read returns what they decrypt to.
// So a session waits without a buffer, as without TLS, and no decrypted byte stays inside that
// nothing reads. Two commands in two records of one TCP segment are read as two commands.
//
// Handshake runs beside Put and Abort. The other methods are for the goroutine that calls Put, and
// only Put, Abort and IsReady may be called before the handshake has succeeded.
type Control struct {
	server  *Server
	tls     *tls.Conn
	wire    *controlWire
	binding binding
	offer   offer       // set by the handshake
	resumed atomic.Bool // a data connection has resumed the session of this connection
	ready   bool        // Complete was called
	host    string      // the name by which the certificate was chosen; "" is the default
	named   bool        // the client has named host in TLS
}

// NewControl puts TLS under a control connection. host is the virtual host that the client has
// chosen before, or "".
func (srv *Server) NewControl(conn transport.Conn, host string) *Control {
	w := &controlWire{Conn: conn}
	w.arrived.L = &w.mu
	c := &Control{server: srv, wire: w, binding: newBinding(), host: host}
	c.tls = tls.Server(w, srv.forControl(c.binding, host, &c.offer))
	return c
}

// ErrLate is the cause of a handshake that takes too long (limits.connect_timeout).
var ErrLate = errors.New("TLS handshake timeout")

// Handshake makes the handshake. If ctx ends before, the error is its cause; after limit it is late,
// such as ErrLate. The limit 0 is none. After a success the caller calls Complete.
func (c *Control) Handshake(ctx context.Context, limit time.Duration, late error) error {
	if limit != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, late)
		defer cancel()
	}
	c.wire.Conn.SetWriteDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() {
		c.wire.end(context.Cause(ctx))
		c.wire.Conn.SetWriteDeadline(transport.PastDeadline)
	})
	err := c.tls.Handshake()
	if !stop() {
		return context.Cause(ctx)
	}
	return c.offer.explain(err, controlProtocols)
}

// Complete ends the handshake: from now on Read does not wait. It returns the name of the server
// that the client has named in TLS, or "".
func (c *Control) Complete() (serverName string) {
	c.wire.setNonblocking()
	c.ready = true
	if name := c.tls.ConnectionState().ServerName; name != "" {
		c.host, c.named = name, true
		return name
	}
	return ""
}

// IsReady reports whether Complete was called.
func (c *Control) IsReady() bool { return c.ready }

// MayServe reports whether the connection may serve a virtual host. If the client has named a
// server in TLS, it may serve only that one.
func (c *Control) MayServe(host string) bool {
	return !c.named || HostKey(host) == HostKey(c.host)
}

// Version returns the TLS version as text, such as "TLS 1.3".
func (c *Control) Version() string { return tls.VersionName(c.tls.ConnectionState().Version) }

// Put adds bytes that have arrived. During the handshake it copies p, and fails after 128 KiB that
// were not read. After the handshake it does not copy: p must not change until Read has returned
// ErrNothing.
func (c *Control) Put(p []byte) error { return c.wire.put(p) }

// Abort makes the handshake fail with err, after it has read what was put.
func (c *Control) Abort(err error) { c.wire.end(err) }

// Read returns decrypted bytes. It does not wait: when it has read everything that was put, the
// error is ErrNothing. At the client's end of TLS it is io.EOF.
func (c *Control) Read(p []byte) (int, error) {
	n, err := c.tls.Read(p)
	if n < len(p) { // crypto/tls has nothing decrypted left
		c.wire.wipe()
	}
	return n, err
}

// Write writes all of p.
func (c *Control) Write(p []byte) (int, error) { return c.tls.Write(p) }

// CloseWrite sends TLS's close_notify, from which the client learns that nothing was cut off.
func (c *Control) CloseWrite() error { return c.tls.CloseWrite() }

// A controlWire is the net.Conn of a Control's tls.Conn.
type controlWire struct {
	transport.Conn // for writes; the session sets its deadlines and closes it

	mu          sync.Mutex
	arrived     sync.Cond
	cipher      []byte // was put and is unread; guarded by mu, as the following fields
	err         error  // the error of a read after cipher
	nonblocking bool   // a read without a whole record fails with ErrNothing instead of waiting

	left int    // bytes of the record that is being read
	read []byte // where the last read put its bytes, which crypto/tls decrypts in place
}

// ErrNothing is the error of Control.Read when everything that was put has been read. crypto/tls
// takes it for a temporary error, after which it reads on.
var ErrNothing error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing has arrived" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

func (*controlWire) SetDeadline(time.Time) error      { return nil }
func (*controlWire) SetReadDeadline(time.Time) error  { return nil }
func (*controlWire) SetWriteDeadline(time.Time) error { return nil }

func (w *controlWire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.readable() == 0 && w.err == nil && !w.nonblocking {
		w.arrived.Wait()
	}
	switch n := w.readable(); {
	case n > 0:
		n = copy(p, w.cipher[:n])
		w.cipher, w.left, w.read = w.cipher[n:], max(0, w.left-n), p[:n]
		return n, nil
	case w.err != nil:
		return 0, w.err
	}
	w.cipher = bytes.Clone(w.cipher) // the memory of put is used again
	return 0, ErrNothing
}

// overhead is how much longer an encrypted record may be than what it carries (RFC 5246 §6.2.3).
const overhead = 2 << 10

// firstType and lastType are the lowest and the highest type of a record.
const firstType, lastType = 20, 24

// readable returns how many bytes the next read may return: at most one record, and none while the
// record is incomplete. So crypto/tls decrypts a record where the read has put it, from which wipe
// removes it, and not in another buffer to which it has moved the record. What is no record is
// returned as it is, and refused there. The caller holds mu.
func (w *controlWire) readable() int {
	if w.left > 0 || len(w.cipher) == 0 {
		return min(w.left, len(w.cipher))
	}
	if w.cipher[0] < firstType || w.cipher[0] > lastType || w.err != nil {
		return len(w.cipher)
	}
	if len(w.cipher) < recordHeader {
		return 0
	}
	size := recordHeader + int(binary.BigEndian.Uint16(w.cipher[3:]))
	switch {
	case size > recordHeader+maxRecord+overhead:
		return len(w.cipher)
	case len(w.cipher) < size:
		return 0
	}
	w.left = size
	return size
}

// wipe clears what the last read has put into the buffer of crypto/tls, since it may be a password.
// There is none left if a larger buffer had to be made in the middle of a record.
func (w *controlWire) wipe() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left == 0 {
		clear(w.read)
		w.read = nil
	}
}

// maxHandshake bounds the bytes that a client may send ahead of the handshake. crypto/tls takes no
// message that is larger than half of it.
const maxHandshake = 128 << 10

func (w *controlWire) put(p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.nonblocking && len(w.cipher) == 0:
		w.cipher = p
	case len(w.cipher)+len(p) > maxHandshake:
		return errors.New("TLS handshake is too large")
	default:
		w.cipher = append(w.cipher, p...)
	}
	w.arrived.Broadcast()
	return nil
}

// end makes reads fail when nothing that was put is left.
func (w *controlWire) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	w.arrived.Broadcast()
}

func (w *controlWire) setNonblocking() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nonblocking = true
}
