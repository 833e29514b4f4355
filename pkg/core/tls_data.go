package core

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"ftpd/pkg/dtp"
	"ftpd/pkg/transport"
)

// A secureData is the TLS of a data connection. It stands above the waits of its dataConn, so that a client that stalls, an ABOR and a
// stop end a wait inside TLS as they do without it: crypto/tls itself cannot go on after a write that a deadline has cut.
type secureData struct {
	*tls.Conn
	wire *dataWire
}

// A dataWire is what its tls.Conn reads and writes. crypto/tls asks the kernel once for each record of 16 KiB; here records gather.
type dataWire struct {
	transport.Conn // for the addresses alone
	data           *dtp.Conn
	blocks         *transport.Blocks
	proof          *proof
	ctx            context.Context // of the call that goes on

	open     bool             // the handshake is over; during it nothing may wait to be gathered
	eof      bool             // the client has closed its side
	in       *transport.Block // nil until something is read
	unread   []byte           // lies in in
	out      *transport.Block // nil until something is gathered
	gathered int              // bytes in out
	gather   bool
	late     []byte // the ticket of an upload
}

func (*dataWire) SetDeadline(time.Time) error      { return nil }
func (*dataWire) SetReadDeadline(time.Time) error  { return nil }
func (*dataWire) SetWriteDeadline(time.Time) error { return nil }

func (w *dataWire) Read(p []byte) (int, error) {
	if len(w.unread) == 0 {
		room := p
		if w.open {
			if w.in == nil {
				w.in = w.blocks.Get()
			}
			room = w.in[:]
		}
		n, err := w.data.ReadRaw(w.ctx, room)
		w.eof = err == io.EOF
		if err != nil || !w.open {
			return n, err
		}
		w.unread = room[:n]
	}
	n := copy(p, w.unread)
	w.unread = w.unread[n:]
	return n, nil
}

// Write sends the ticket of an upload (TLS 1.3) before the next record, which is TLS's own end. A client that never reads closes with
// the ticket unread, and its kernel then answers with a reset and throws away what it has not sent yet: by now it has sent everything.
// What comes in between, an update of keys, takes the ticket along, since records are numbered.
func (w *dataWire) Write(p []byte) (int, error) {
	n := len(p)
	if w.late != nil {
		p, w.late = append(w.late, p...), nil
	}
	if w.proof.ticketNext {
		w.proof.ticketNext = false
		at := lastRecord(p)
		p, w.late = p[:at], bytes.Clone(p[at:])
	}
	if !w.gather {
		return n, w.data.WriteRaw(w.ctx, p)
	}
	if w.out == nil {
		w.out = w.blocks.Get()
	}
	if w.gathered+len(p) > len(w.out) {
		if err := w.flush(); err != nil {
			return 0, err
		}
	}
	w.gathered += copy(w.out[w.gathered:], p) // a record is much smaller than a block
	return n, nil
}

// lastRecord is where the last TLS record begins.
func lastRecord(p []byte) (at int) {
	for next := 0; next < len(p); {
		at = next
		next += recordHeader + int(binary.BigEndian.Uint16(p[at+recordHeader-2:]))
	}
	return at
}

func (w *dataWire) flush() error {
	if w.gathered == 0 {
		return nil
	}
	p := w.out[:w.gathered]
	w.gathered = 0
	return w.data.WriteRaw(w.ctx, p)
}

// release gives the blocks back.
func (c *secureData) release() {
	for _, b := range []**transport.Block{&c.wire.in, &c.wire.out} {
		if *b != nil {
			c.wire.blocks.Put(*b)
			*b = nil
		}
	}
}

const (
	maxRecord    = 16 << 10 // the most that a TLS record carries
	recordHeader = 5        // type, version, and length in the last two bytes
)

// Read keeps an end that comes with the last bytes for the next call, as io.Reader lets it.
func (c *secureData) Read(ctx context.Context, p []byte) (int, error) {
	c.wire.ctx = ctx
	n, err := c.Conn.Read(p)
	if n > 0 {
		err = nil // crypto/tls does not forget it
	}
	return n, err
}

// Write writes all of p; nothing of it waits inside afterwards.
func (c *secureData) Write(ctx context.Context, p []byte) error {
	c.wire.ctx = ctx
	c.wire.gather = len(p) > maxRecord
	_, err := c.Conn.Write(p)
	c.wire.gather = false
	if err != nil {
		return err
	}
	return c.wire.flush()
}

// finish tells the client that nothing was cut off. Python's ftplib waits for it after every transfer, uploads too. A client that
// knows how much comes may be gone by now, so only a wait that was cut is a failure.
func (c *secureData) finish(ctx context.Context) error {
	c.wire.ctx = ctx
	if err := c.CloseWrite(); errors.Is(err, dtp.ErrStalled) || ctx.Err() != nil {
		return err
	}
	return nil
}

// unproved says that the client has closed an upload without TLS's own end: the stream ended between two records, and whoever is in
// between could have made it end there.
func (c *secureData) unproved() bool { return c.wire.eof }

// A handshakeError is why TLS did not begin on a data connection.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// protect puts TLS under the data connection (RFC 4217 §9). A client that fails or takes too long loses this transfer only.
func (t *transfer) protect(ctx context.Context) error {
	shaking, stop := ctx, func() bool { return true }
	if patience := time.Duration(t.s.srv.config.Limits.ConnectTimeout); patience > 0 {
		var cancel context.CancelFunc
		shaking, cancel = context.WithTimeoutCause(ctx, patience, errHandshakeLate)
		defer cancel()
		stop = context.AfterFunc(shaking, t.data.Interrupt)
	}
	w := &dataWire{
		Conn:   t.data.Transport(),
		data:   &t.data,
		blocks: &t.s.srv.blocks,
		proof:  t.proof,
		ctx:    shaking,
	}
	cfg := t.s.srv.security.forData(t.proof)
	cfg.ClientAuth = t.proof.clientAuth()
	c := &secureData{Conn: tls.Server(w, cfg), wire: w}
	t.secure = c
	t.data.Protect(c)
	err := c.Handshake()
	switch {
	case !stop():
		err = context.Cause(shaking)
	case errors.Is(err, dtp.ErrStalled):
		err = errHandshakeLate // an dtp.ErrStalled would end the session
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return &handshakeError{err}
	case !t.proof.sameClient(c.Conn):
		return &handshakeError{errOtherClient}
	}
	if err := t.reused(ctx); err != nil {
		return err
	}
	w.open = true
	return nil
}
