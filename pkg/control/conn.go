// Package control is the server's end of one control connection (RFC 959 §2.3): lines in, replies out,
// over TLS or without. It knows no command: the session decides which lines run and when replies
// are written.
package control

import (
	"time"

	"ftpd/pkg/ftptls"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/transport"
)

// A Conn is a control connection. While the client is idle it holds no buffer. Only one goroutine at
// a time may use it.
type Conn struct {
	TLS *ftptls.Control // nil before StartTLS

	conn    transport.Conn
	buffers *transport.Buffers
	input   ftpwire.Input
	ahead   []byte            // lines that wait, then a part of a line
	waiting int               // length of the waiting lines in ahead, in bytes
	out     *transport.Buffer // replies that are not written yet; nil if there are none
}

// New returns a Conn without TLS. The caller still owns c. buffers is the pool for what is read under
// TLS and for replies.
func New(c transport.Conn, buffers *transport.Buffers) Conn {
	return Conn{conn: c, buffers: buffers}
}

// StartTLS puts TLS below the lines and replies. host is the virtual host that the client has chosen
// before, or "". The caller makes the handshake and completes it.
func (c *Conn) StartTLS(server *ftptls.Server, host string) *ftptls.Control {
	c.input = ftpwire.Input{} // half a Telnet command in clear text does not go on within TLS
	c.TLS = server.NewControl(c.conn, host)
	return c.TLS
}

// ReadTLS calls text with all that TLS decrypts of what was put, as long as open returns true. The
// error is io.EOF at the client's end of TLS.
func (c *Conn) ReadTLS(open func() bool, text func([]byte)) error {
	buf := c.buffers.Get()
	defer c.buffers.Put(buf)
	for open() {
		n, err := c.TLS.Read(buf.Data)
		if n > 0 {
			text(buf.Data[:n])
		}
		switch {
		case err == ftptls.ErrNothing:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// Filter removes Telnet commands from text that was received, in place, and cuts lines that are too
// long (ftpwire.Input).
func (c *Conn) Filter(text []byte) []byte { return c.input.Filter(text) }

// MaxAhead bounds the bytes that are kept, beyond those of one read: after that the session reads no
// more, as if the lines had run.
const MaxAhead = 16 << 10

// Run cuts text, behind what is kept, into lines. It calls run for each line that does not wait, until
// run returns false: nothing after that line counts. It keeps the lines for which waits returns true,
// in place, and the start of an incomplete line. behind reports whether lines before this one wait. No
// other copy of a line stays in memory that Run has written, because it may hold a password; the caller
// clears text.
func (c *Conn) Run(
	text []byte, waits func(line []byte, behind bool) bool, run func(line []byte) (more bool),
) {
	p := text
	if len(c.ahead) > 0 {
		longer := append(c.ahead, p...)
		if &longer[0] != &c.ahead[0] {
			clear(c.ahead)
		}
		c.ahead, p = longer, longer
	}
	kept, p := p[:c.waiting], p[c.waiting:]
	for {
		line, rest, ok := ftpwire.CutLine(p)
		if !ok {
			break
		}
		whole := p[:len(p)-len(rest)]
		p = rest
		if waits(line, len(kept) > 0) {
			kept = append(kept, whole...)
		} else if !run(line) {
			p = nil
			break
		}
	}
	c.waiting = len(kept)
	kept = append(kept, p...)
	before := c.ahead // what is kept is in place there, unless nothing was kept before
	if len(kept) == 0 {
		c.ahead = nil
		clear(before)
		return
	}
	c.ahead = append(before[:0], kept...)
	clear(before[min(len(kept), len(before)):])
}

// Due makes the lines that wait due: the next Run looks at them again.
func (c *Conn) Due() { c.waiting = 0 }

// Clear overwrites all that is kept: it may hold a part of a password.
func (c *Conn) Clear() { clear(c.ahead) }

// Drop removes all that is kept, after Clear.
func (c *Conn) Drop() {
	c.Clear()
	c.ahead, c.waiting = nil, 0
}

// HasWaiting reports whether lines wait.
func (c *Conn) HasWaiting() bool { return c.waiting > 0 }

// Ahead returns the number of bytes that are kept, at most MaxAhead and one read.
func (c *Conn) Ahead() int { return len(c.ahead) }

// Add adds a reply to those that the next Flush writes. It calls flush where replies have to be written
// at once, and stops if flush returns false. The output is half full: a long reply is written in
// pieces, so that a session whose client does not read keeps at most the text of one reply, and a
// buffer. Or the reply names a port and must begin a TCP segment (ftpwire.Reply.NamesPort).
func (c *Conn) Add(r ftpwire.Reply, flush func() (open bool)) {
	open := true
	if r.NamesPort() && c.TLS == nil {
		open = flush()
	}
	for i := 0; i < len(r.Text) && open; i++ {
		if c.out == nil {
			c.out = c.buffers.Get()
			c.out.Data = c.out.Data[:0]
		}
		c.out.Data = r.AppendLine(c.out.Data, i)
		if len(c.out.Data) >= transport.BufferSize/2 {
			open = flush()
		}
	}
}

// HasReplies reports whether replies are not written yet.
func (c *Conn) HasReplies() bool { return c.out != nil }

// Flush writes the replies that were added, until the write deadline of the connection. If it fails,
// they are lost. During a TLS handshake no reply can be sent, and the error is ftptls.ErrLate.
func (c *Conn) Flush() error {
	out := c.out
	if out == nil {
		return nil
	}
	c.out = nil
	defer c.buffers.Put(out)
	switch {
	case c.TLS == nil:
		_, err := c.conn.Write(out.Data)
		return err
	case !c.TLS.IsReady():
		return ftptls.ErrLate
	}
	_, err := c.TLS.Write(out.Data)
	return err
}

// Finish closes the connection after all that was written. TLS is ended first, by an alert that shows
// the client that nothing was cut off; limit bounds its time.
func (c *Conn) Finish(limit time.Duration) {
	if c.TLS != nil && c.TLS.IsReady() {
		c.conn.SetWriteDeadline(time.Now().Add(limit))
		c.TLS.CloseWrite()
	}
	c.conn.Finish()
}
