package ftptls

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"ftpd/pkg/transport"
)

// A Stream moves the bytes of a data connection below TLS. Its waits end with ctx.
type Stream interface {
	// ReadRaw reads at least one byte.
	ReadRaw(ctx context.Context, p []byte) (int, error)
	// WriteRaw writes all of p.
	WriteRaw(ctx context.Context, p []byte) error
}

// A Data is the TLS of a data connection. It waits in its Stream, so that a client that stalls and
// the end of ctx end a wait inside TLS as they do without TLS: crypto/tls cannot continue after a
// write that a deadline has cut.
type Data struct {
	tls   *tls.Conn
	wire  *dataWire
	proof *Proof
}

// ErrOtherClient is the error of a Data's Handshake if the client's certificate is not the one of
// the control connection.
var ErrOtherClient = errors.New(
	"the data connection shows another client's certificate than the control connection")

// NewData puts TLS under a data connection, which has to give p. conn is needed for its addresses.
func NewData(p *Proof, conn transport.Conn, stream Stream, blocks *transport.Blocks) *Data {
	w := &dataWire{Conn: conn, stream: stream, blocks: blocks, proof: p}
	return &Data{tls: tls.Server(w, p.server.forData(p)), wire: w, proof: p}
}

// Handshake makes the handshake, before all other calls. The caller bounds its time.
func (d *Data) Handshake(ctx context.Context) error {
	d.wire.ctx = ctx
	if err := d.tls.Handshake(); err != nil {
		return d.proof.offer.explain(err, dataProtocols)
	}
	if !d.proof.isClient(d.tls) {
		return ErrOtherClient
	}
	d.wire.open = true
	return nil
}

// NotResumed returns nil if the data connection has resumed its control connection's session, or if
// tls.session_reuse is off. Otherwise it returns the reason, which is one of ErrNoTicket,
// ErrUnknownTicket, ErrForeignTicket and ErrUnusedTicket, and reports whether the data connection
// must be refused.
func (d *Data) NotResumed() (reason error, refuse bool) {
	switch {
	case d.proof.off:
		return nil, false
	case d.tls.ConnectionState().DidResume:
		d.proof.resumed.Store(true)
		return nil, false
	}
	return d.proof.lack, d.proof.demanded
}

// Read reads at least one byte. An end that arrives with the last bytes is returned by the next
// call, because crypto/tls keeps it.
func (d *Data) Read(ctx context.Context, p []byte) (int, error) {
	d.wire.ctx = ctx
	n, err := d.tls.Read(p)
	if n > 0 {
		err = nil
	}
	return n, err
}

// Write writes all of p; no part of it stays in a buffer.
func (d *Data) Write(ctx context.Context, p []byte) error {
	d.wire.ctx = ctx
	d.wire.gather = len(p) > maxRecord
	_, err := d.tls.Write(p)
	d.wire.gather = false
	if err != nil {
		return err
	}
	return d.wire.flush()
}

// CloseWrite sends TLS's close_notify, from which the client learns that nothing was cut off.
// Python's ftplib waits for it after every transfer, also after an upload.
func (d *Data) CloseWrite(ctx context.Context) error {
	d.wire.ctx = ctx
	return d.tls.CloseWrite()
}

// EndProved reports whether the client has ended an upload by close_notify. Without it, a third
// party may have ended the stream between two records.
func (d *Data) EndProved() bool { return !d.wire.eof }

// Release gives the buffers back. Read and Write must not be called after it.
func (d *Data) Release() {
	for _, b := range []**transport.Block{&d.wire.in, &d.wire.out} {
		if *b != nil {
			d.wire.blocks.Put(*b)
			*b = nil
		}
	}
}

const (
	maxRecord    = 16 << 10 // most bytes that a TLS record carries
	recordHeader = 5        // type, version, and length in the last two bytes
)

// A dataWire is the net.Conn of a Data's tls.Conn. crypto/tls makes a write for each record of 16
// KiB; the dataWire gathers records into larger writes.
type dataWire struct {
	transport.Conn // for the addresses alone
	stream         Stream
	blocks         *transport.Blocks
	proof          *Proof
	ctx            context.Context // of the current call

	open     bool             // the handshake has succeeded; only then Read reads ahead
	eof      bool             // the client has closed its side
	in       *transport.Block // nil until something was read
	unread   []byte           // a part of in
	out      *transport.Block // nil until something was gathered
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
		n, err := w.stream.ReadRaw(w.ctx, room)
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

// Write sends the ticket of an upload (TLS 1.3) before the next record, which is close_notify. A
// client that never reads closes the connection with the ticket unread; its kernel then answers
// with a reset and discards what it has not sent yet. At that time the client has sent everything.
// A record before close_notify, an update of keys, is sent with the ticket, because records are
// numbered.
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
		return n, w.stream.WriteRaw(w.ctx, p)
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

// lastRecord returns the offset of the last TLS record.
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
	return w.stream.WriteRaw(w.ctx, p)
}
