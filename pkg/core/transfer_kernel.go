package core

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
	"ftpd/pkg/zerocopy"
)

// The kernel moves the bytes of binary transfers over plain TCP itself. Whatever it cannot is copied: over TLS, in ASCII, where
// data.sendfile is off, and where the file system refuses.

// sendFile sends the rest of a file.
func (t *transfer) sendFile(ctx context.Context, f *vfs.File) error {
	socket := t.socket()
	if socket == nil {
		return t.send(ctx, f)
	}
	for {
		n, err := t.data.pass(ctx, func() (int, error) {
			return f.SendTo(socket, t.limits.Piece())
		})
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errors.ErrUnsupported):
			return t.send(ctx, f) // goes on where the file stands
		case err != nil:
			return err
		}
		if err := t.limits.Wait(ctx, n); err != nil {
			return err
		}
	}
}

// receiveFile receives a whole upload.
func (t *transfer) receiveFile(ctx context.Context, up *vfs.Upload) error {
	socket := t.socket()
	if socket == nil {
		return t.receive(ctx, up)
	}
	if err := t.receiveStart(ctx, up); err == io.EOF {
		return nil
	} else if err != nil {
		return err
	}
	pipe := t.s.srv.pipes.Get()
	if pipe == nil {
		return t.receive(ctx, up)
	}
	defer t.s.srv.pipes.Put(pipe)
	err := t.splice(ctx, up, pipe, socket)
	if err == io.EOF {
		return nil
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return t.receive(ctx, up)
	}
	return err
}

// firstPiece of an upload is copied: a small file needs no pipe.
const firstPiece = 64 << 10

// receiveStart copies the first piece. io.EOF says that it was the last one, too.
func (t *transfer) receiveStart(ctx context.Context, up *vfs.Upload) error {
	b := t.s.srv.blocks.get()
	defer t.s.srv.blocks.put(b)
	for t.data.moved.Load() < firstPiece {
		if err := t.take(ctx, up, b[:firstPiece]); err != nil {
			return err
		}
	}
	return nil
}

// splice moves pieces through the pipe until the client's end, which is io.EOF. errors.ErrUnsupported says to copy what follows; what
// the pipe held is in the file then.
func (t *transfer) splice(ctx context.Context, up *vfs.Upload, pipe *zerocopy.Pipe, socket syscall.RawConn) error {
	for {
		n, err := t.data.pass(ctx, func() (int, error) {
			return pipe.Fill(socket, t.limits.Piece())
		})
		if err != nil {
			return err
		}
		if err := t.store(up, pipe); err != nil {
			return err
		}
		if err := t.reserve.Check(t.data.moved.Load()); err != nil {
			return err
		}
		if err := t.limits.Wait(ctx, n); err != nil {
			return err
		}
	}
}

// store puts what the pipe holds into the file. Where that cannot take it from the pipe, it is written, and the error is
// errors.ErrUnsupported nevertheless.
func (t *transfer) store(up *vfs.Upload, pipe *zerocopy.Pipe) error {
	err := up.TakeFrom(pipe)
	lost := int64(pipe.Held())
	if errors.Is(err, errors.ErrUnsupported) {
		written, failed := io.Copy(up, pipe)
		if lost -= written; failed != nil {
			err = failed
		}
	}
	t.data.moved.Add(-lost) // they are in no file
	return err
}

// socket is the data connection's, where the kernel may move bytes itself; else nil.
func (t *transfer) socket() syscall.RawConn {
	c, ok := t.data.conn.(*transport.TCPConn)
	if !ok || t.private || !t.s.srv.config.Data.Sendfile {
		return nil
	}
	return c.Raw()
}

// pass makes a call that moves bytes between the connection and a file, and waits as read and write do. Its error is a connError
// where the connection failed; io.EOF is the end of what is read.
func (d *dataConn) pass(ctx context.Context, call func() (int, error)) (int, error) {
	d.last = time.Now()
	for {
		if err := d.arm(ctx); err != nil {
			return 0, err
		}
		n, err := call()
		d.moved.Add(int64(n))
		_, failed := errors.AsType[*zerocopy.SocketError](err)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			d.look()
		case failed, errors.Is(err, net.ErrClosed):
			return n, &connError{err}
		default:
			return n, err
		}
	}
}
