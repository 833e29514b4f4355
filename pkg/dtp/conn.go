// Package dtp is the server-DTP, the server's end of data connections (RFC 959 §2.3): it opens
// them, passive and active, and moves bytes between them and files. It has no session and no
// replies. What a transfer needs of the server (limits, buffers, times) it gets as parameters.
package dtp

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"ftpd/pkg/limit"
	"ftpd/pkg/transport"
	"ftpd/pkg/zerocopy"
)

// ErrStalled is the error of a transfer if its bytes did not move for Options.Stall.
var ErrStalled = errors.New("data transfer stalled")

// A ConnError is a failure of the data connection, as opposed to a failure of the file.
type ConnError struct{ Err error }

func (e *ConnError) Error() string { return "data connection: " + e.Err.Error() }

// Unwrap returns the error of the connection.
func (e *ConnError) Unwrap() error { return e.Err }

// Options are the parameters of a Conn.
type Options struct {
	// Stall is how long the bytes of a transfer may not move before it fails with ErrStalled; 0 is
	// without a bound. Only the client's time counts, not that of the file or of the limits.
	Stall time.Duration
	// Limits are the buckets that each piece of the transfer waits on.
	Limits limit.Buckets
	// Blocks has the buffers for bytes that are copied.
	Blocks *transport.Blocks
	// Pipes are for bytes that the kernel moves; nil means that all bytes are copied.
	Pipes *zerocopy.Pipes
}

// A Conn is the server-DTP's end of one data connection. Its methods fail with a *ConnError if the
// connection fails, with ErrStalled, or with the cause of ctx if ctx ends.
//
// One goroutine, the transfer's, opens a Conn, moves bytes and closes it. Other goroutines may call
// IsOpen, Interrupt and Moved.
type Conn struct {
	Options

	conn   transport.Conn // nil before Open
	isOpen atomic.Bool    // conn is set
	layer  Layer          // nil without TLS
	moved  atomic.Int64   // bytes so far, without those that TLS adds

	// The transfer's goroutine owns the following fields.
	reserve *limit.Reserve // of an upload's file system; may be nil
	last    time.Time      // when a byte moved, or when the wait for one began
	armed   bool           // a deadline is set
	queue   int            // unacknowledged bytes at the last deadline
}

// A Layer is TLS above a Conn. It moves its own bytes by ReadRaw and WriteRaw of the Conn.
type Layer interface {
	Read(ctx context.Context, p []byte) (int, error)
	// Write writes all of p.
	Write(ctx context.Context, p []byte) error
}

// Open opens the data connection.
func (c *Conn) Open(ctx context.Context, by Opener) error {
	conn, err := by.Open(ctx)
	if err != nil {
		return err
	}
	c.conn = conn
	if tcp, ok := c.conn.(*transport.TCPConn); ok {
		tcp.SetData(c.Stall)
	}
	c.isOpen.Store(true)
	return nil
}

// IsOpen reports whether the data connection was opened. It stays true after the end.
func (c *Conn) IsOpen() bool { return c.isOpen.Load() }

// Transport returns the connection itself, which has the addresses; nil before Open.
func (c *Conn) Transport() transport.Conn { return c.conn }

// Protect puts a layer above the connection, before its handshake.
func (c *Conn) Protect(l Layer) { c.layer = l }

// Moved returns the number of bytes that have moved so far, without those that TLS adds. In an
// upload it is the number of bytes that were written to the file.
func (c *Conn) Moved() int64 { return c.moved.Load() }

// Finish closes an open data connection after everything that was written.
func (c *Conn) Finish() { c.conn.Finish() }

// Close closes an open data connection.
func (c *Conn) Close() { c.conn.Close() }

// Interrupt ends the current wait for the client, so that the end of ctx is found. It must not be
// called before Open has returned. If ctx has not ended, the wait begins again, with a stall time
// of two minutes if there was none.
func (c *Conn) Interrupt() { c.conn.SetDeadline(transport.PastDeadline) }

// unattendedStall is the stall time of a Conn without one that was interrupted. Its transfer goes
// on without a control connection, and could otherwise last for ever.
const unattendedStall = 2 * time.Minute

// checksPerStall is how often a wait checks within the stall time whether bytes move, because a
// write that is cut by a deadline does not report when its last byte moved.
const checksPerStall = 8

// arm sets the deadline of the next wait. A deadline stays until it passes, however many bytes move
// before; then the clock is read again. A deadline for each piece would cost more than some pieces.
func (c *Conn) arm(ctx context.Context) error {
	if c.Stall > 0 && !c.armed {
		now := time.Now()
		due := c.last.Add(c.Stall)
		if !now.Before(due) {
			return ErrStalled
		}
		if soon := now.Add(c.Stall / checksPerStall); soon.Before(due) {
			due = soon
		}
		c.armed = true
		c.conn.SetDeadline(due)
	}
	return context.Cause(ctx) // last: SetDeadline may have undone an Interrupt
}

// onDeadline checks, after a deadline, whether bytes have moved. A full socket takes no bytes until
// a third of its buffer is free, which takes minutes with a slow client; but the number of bytes in
// the buffer becomes smaller all the time.
func (c *Conn) onDeadline() {
	c.armed = false
	if c.Stall == 0 { // Interrupt set the deadline
		c.Stall, c.last = unattendedStall, time.Now()
	}
	queue := c.conn.Unacknowledged()
	if queue < c.queue {
		c.last = time.Now()
	}
	c.queue = queue
}

// read reads at least one byte. At the end of the stream the error is io.EOF.
func (c *Conn) read(ctx context.Context, p []byte) (n int, err error) {
	if c.layer != nil {
		n, err = c.layer.Read(ctx, p)
	} else {
		n, err = c.ReadRaw(ctx, p)
	}
	c.moved.Add(int64(n))
	return n, c.connError(ctx, err)
}

// write writes all of p.
func (c *Conn) write(ctx context.Context, p []byte) error {
	if c.layer == nil {
		return c.WriteRaw(ctx, p)
	}
	err := c.layer.Write(ctx, p)
	if err == nil {
		c.moved.Add(int64(len(p)))
	}
	return c.connError(ctx, err)
}

// connError turns an error of TLS into a ConnError; other errors stay as they are.
func (c *Conn) connError(ctx context.Context, err error) error {
	_, is := errors.AsType[*ConnError](err)
	if is || err == nil || err == io.EOF || errors.Is(err, ErrStalled) || ctx.Err() != nil {
		return err
	}
	return &ConnError{err}
}

// ReadRaw reads at least one byte below TLS. At the end of the stream the error is io.EOF.
func (c *Conn) ReadRaw(ctx context.Context, p []byte) (int, error) {
	c.last = time.Now()
	for {
		if err := c.arm(ctx); err != nil {
			return 0, err
		}
		n, err := c.conn.Read(p)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.onDeadline()
		case err == io.EOF:
			return 0, err
		default:
			return 0, &ConnError{err}
		}
	}
}

// WriteRaw writes all of p below TLS.
func (c *Conn) WriteRaw(ctx context.Context, p []byte) error {
	c.last = time.Now()
	for {
		if err := c.arm(ctx); err != nil {
			return err
		}
		n, err := c.conn.Write(p)
		if n > 0 {
			if c.layer == nil {
				c.moved.Add(int64(n))
			}
			c.last = time.Now()
			p = p[n:]
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.onDeadline()
		default:
			return &ConnError{err}
		}
	}
}
