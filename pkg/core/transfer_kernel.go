package core

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"ftpd/pkg/vfs"
	"ftpd/pkg/zerocopy"
)

// The kernel moves the bytes of binary transfers over plain TCP itself. Whatever it cannot is copied: over TLS, in ASCII, where
// data.sendfile is off, and where the file system refuses.

// limitedPiece is the piece in which bytes move where a limit holds: a larger one would come in bursts.
const limitedPiece = 64 << 10

// sendFile sends the rest of a file.
func (t *transfer) sendFile(ctx context.Context, f *vfs.File) error {
	socket := t.socket()
	if socket == nil {
		return t.send(ctx, f)
	}
	most := 0
	if len(t.limits) > 0 {
		most = limitedPiece
	}
	for {
		n, err := t.data.pass(ctx, func() (int, error) { return f.SendTo(socket, most) })
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errors.ErrUnsupported):
			return t.send(ctx, f) // goes on where the file stands
		case err != nil:
			return err
		}
		if err := t.wait(ctx, n); err != nil {
			return err
		}
	}
}

// firstPiece of an upload is copied: a small file needs no pipe.
const firstPiece = 64 << 10

// receiveFile receives a whole upload.
func (t *transfer) receiveFile(ctx context.Context, up *vfs.Upload) error {
	socket := t.socket()
	if socket == nil {
		return t.receive(ctx, up)
	}
	b := t.s.srv.blocks.get()
	defer t.s.srv.blocks.put(b)
	for t.data.moved.Load() < firstPiece {
		err := t.take(ctx, up, b[:firstPiece])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	pipe := t.s.srv.pipes.Get()
	if pipe == nil {
		return t.receive(ctx, up)
	}
	defer t.s.srv.pipes.Put(pipe)
	return t.splice(ctx, up, pipe, socket)
}

// splice moves pieces through the pipe until the client's end. What the file does not take from the pipe is written into it.
func (t *transfer) splice(ctx context.Context, up *vfs.Upload, pipe *zerocopy.Pipe, socket syscall.RawConn) error {
	for {
		n, err := t.data.pass(ctx, func() (int, error) { return pipe.Fill(socket) })
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errors.ErrUnsupported):
			return t.receive(ctx, up)
		case err != nil:
			return err
		}
		err = up.TakeFrom(pipe)
		if errors.Is(err, errors.ErrUnsupported) {
			if _, err := io.Copy(up, pipe); err != nil {
				return err
			}
			return t.receive(ctx, up)
		}
		if err != nil {
			return err
		}
		if err := t.wait(ctx, n); err != nil {
			return err
		}
	}
}

// socket is the data connection's, where the kernel may move bytes itself; else nil.
func (t *transfer) socket() syscall.RawConn {
	c, ok := t.data.conn.(*rawConn)
	if !ok || t.private || !t.s.srv.config.Data.Sendfile {
		return nil
	}
	return c.raw
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
			d.armed = false
		case failed, errors.Is(err, net.ErrClosed):
			return n, &connError{err}
		default:
			return n, err
		}
	}
}
