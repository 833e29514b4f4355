package dtp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"ftpd/pkg/limit"
	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
	"ftpd/pkg/zerocopy"
)

// The kernel moves the bytes of binary transfers over TCP without TLS. Bytes are copied under TYPE
// A, over TLS, without Options.Pipes, and where the file system refuses.

// SendFile sends the rest of a file.
func (c *Conn) SendFile(ctx context.Context, f *vfs.File) error {
	socket := c.socket()
	if socket == nil {
		return c.Send(ctx, f)
	}
	for {
		n, err := c.pass(ctx, func() (int, error) { return f.SendTo(socket, c.Limits.Piece()) })
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errors.ErrUnsupported):
			return c.Send(ctx, f) // continues at the file's offset
		case err != nil:
			return err
		}
		if err := c.Limits.Wait(ctx, n); err != nil {
			return err
		}
	}
}

// ReceiveFile writes everything that the client sends to an upload, and keeps the reserve of its
// file system, which may be nil.
func (c *Conn) ReceiveFile(ctx context.Context, up *vfs.Upload, reserve *limit.Reserve) error {
	c.reserve = reserve
	socket := c.socket()
	if socket == nil {
		return c.receive(ctx, up)
	}
	if err := c.receiveStart(ctx, up); err == io.EOF {
		return nil
	} else if err != nil {
		return err
	}
	pipe := c.Pipes.Get()
	if pipe == nil {
		return c.receive(ctx, up)
	}
	defer c.Pipes.Put(pipe)
	err := c.splice(ctx, up, pipe, socket)
	if err == io.EOF {
		return nil
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return c.receive(ctx, up)
	}
	return err
}

// FirstPiece is the number of bytes of each upload that are copied, because a small file needs no
// pipe.
const FirstPiece = 64 << 10

// receiveStart copies the first piece. The error is io.EOF if the upload has no more.
func (c *Conn) receiveStart(ctx context.Context, up *vfs.Upload) error {
	b := c.Blocks.Get()
	defer c.Blocks.Put(b)
	for c.moved.Load() < FirstPiece {
		if err := c.receivePiece(ctx, up, b[:FirstPiece]); err != nil {
			return err
		}
	}
	return nil
}

// splice moves pieces through the pipe until the client's end, which is io.EOF. The error is
// errors.ErrUnsupported if the remaining bytes must be copied; then those in the pipe are written.
func (c *Conn) splice(
	ctx context.Context, up *vfs.Upload, pipe *zerocopy.Pipe, socket syscall.RawConn,
) error {
	for {
		n, err := c.pass(ctx, func() (int, error) { return pipe.Fill(socket, c.Limits.Piece()) })
		if err != nil {
			return err
		}
		if err := c.store(up, pipe); err != nil {
			return err
		}
		if err := c.reserve.Check(c.moved.Load()); err != nil {
			return err
		}
		if err := c.Limits.Wait(ctx, n); err != nil {
			return err
		}
	}
}

// store moves the pipe's bytes into the file. If the kernel cannot do that, they are copied, and
// the error is errors.ErrUnsupported nevertheless.
func (c *Conn) store(up *vfs.Upload, pipe *zerocopy.Pipe) error {
	err := up.TakeFrom(pipe)
	lost := int64(pipe.Held())
	if errors.Is(err, errors.ErrUnsupported) {
		written, failed := io.Copy(up, pipe)
		if lost -= written; failed != nil {
			err = failed
		}
	}
	c.moved.Add(-lost) // they are in no file
	return err
}

// socket returns the data connection's socket, or nil if the kernel must not move the bytes.
func (c *Conn) socket() syscall.RawConn {
	tcp, ok := c.conn.(*transport.TCPConn)
	if !ok || c.layer != nil || c.Pipes == nil {
		return nil
	}
	return tcp.Raw()
}

// pass makes a call that moves bytes between the connection and a file, and waits as read and write
// do. Errors of the file stay as they are. The end of what is read is io.EOF.
func (c *Conn) pass(ctx context.Context, call func() (int, error)) (int, error) {
	c.last = time.Now()
	for {
		if err := c.arm(ctx); err != nil {
			return 0, err
		}
		n, err := call()
		c.moved.Add(int64(n))
		_, failed := errors.AsType[*zerocopy.SocketError](err)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.onDeadline()
		case failed, errors.Is(err, net.ErrClosed):
			return n, &ConnError{err}
		default:
			return n, err
		}
	}
}
