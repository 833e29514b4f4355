package dtp

import (
	"context"
	"io"

	"ftpd/pkg/limit"
	"ftpd/pkg/transport"
	"ftpd/pkg/vfs"
)

// Start waits until the limits have earned what earlier transfers owe, such as an aborted one. It
// must be called before bytes move. If the transfer sends, Start also sets the rate at which the
// kernel sends a piece: without it the piece would leave at the speed of the line and meet the full
// queue of a router. That rate is a quarter above the limit, because the kernel may count headers.
func (c *Conn) Start(ctx context.Context, sends bool) error {
	if err := c.Limits.Wait(ctx, 0); err != nil {
		return err
	}
	if tcp, ok := c.conn.(*transport.TCPConn); ok && sends && len(c.Limits) > 0 {
		tcp.Pace(int64(c.Limits.Rate() * 5 / 4))
	}
	return nil
}

// Send sends everything that src has.
func (c *Conn) Send(ctx context.Context, src io.Reader) error {
	b := c.Blocks.Get()
	defer c.Blocks.Put(b)
	for {
		if ctx.Err() != nil { // SendText may read a block without a byte to write
			return context.Cause(ctx)
		}
		n, err := src.Read(b[:])
		if n > 0 {
			if err := c.Write(ctx, b[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// Write sends all of p, as fast as the limits allow.
func (c *Conn) Write(ctx context.Context, p []byte) error {
	for len(p) > 0 {
		n := min(len(p), c.Limits.Piece())
		if err := c.write(ctx, p[:n]); err != nil {
			return err
		}
		if err := c.Limits.Wait(ctx, n); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// receive moves everything that the client sends to dst. Only a FIN is an end, because a reset may
// have destroyed bytes on their way.
func (c *Conn) receive(ctx context.Context, dst io.Writer) error {
	b := c.Blocks.Get()
	defer c.Blocks.Put(b)
	for {
		err := c.receivePiece(ctx, dst, b[:])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// receivePiece moves one piece and waits until the next may arrive. The client's end is io.EOF.
func (c *Conn) receivePiece(ctx context.Context, dst io.Writer, room []byte) error {
	n, err := c.read(ctx, room[:min(len(room), c.Limits.Piece())])
	if err != nil {
		return err
	}
	if written, err := dst.Write(room[:n]); err != nil {
		c.moved.Add(int64(written - n)) // the other bytes are in no file
		return err
	}
	if err := c.reserve.Check(c.moved.Load()); err != nil {
		return err
	}
	return c.Limits.Wait(ctx, n)
}

// SendText is SendFile under TYPE A.
func (c *Conn) SendText(ctx context.Context, f *vfs.File) error {
	return c.Send(ctx, &asciiReader{src: f})
}

// ReceiveText is ReceiveFile under TYPE A.
func (c *Conn) ReceiveText(ctx context.Context, up *vfs.Upload, reserve *limit.Reserve) error {
	c.reserve = reserve
	w := &asciiWriter{dst: up, block: c.Blocks.Get()}
	defer c.Blocks.Put(w.block)
	if err := c.receive(ctx, w); err != nil {
		return err
	}
	return w.end()
}
