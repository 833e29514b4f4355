package core

import (
	"context"
	"io"

	"ftpd/pkg/vfs"
)

// Under TYPE A lines end with CRLF on the wire and with LF in files (RFC 959 §3.1.1.1). A CRLF in a file is left as it is, and so is a CR
// alone on the wire: both are more likely part of the text than a mistake to be doubled or dropped.

// An asciiReader turns what it reads from a file into what the wire has.
type asciiReader struct {
	src io.Reader
	cr  bool // the last byte was a CR
}

// Read reads half of p at most, into its end, and widens it towards the start: a byte becomes two at most, so none is overwritten
// before its turn.
func (a *asciiReader) Read(p []byte) (int, error) {
	half := len(p) / 2
	if half == 0 {
		return 0, io.ErrShortBuffer
	}
	in := p[len(p)-half:]
	n, err := a.src.Read(in)
	out := p[:0]
	for _, c := range in[:n] {
		if c == '\n' && !a.cr {
			out = append(out, '\r')
		}
		out = append(out, c)
		a.cr = c == '\r'
	}
	return len(out), err
}

// An asciiWriter turns what came over the wire into what a file has.
type asciiWriter struct {
	dst   io.Writer
	block *block // room for a piece
	cr    bool   // the last byte was a CR, which is not written yet
}

func (a *asciiWriter) Write(p []byte) (done int, err error) {
	for done < len(p) {
		piece := p[done:min(len(p), done+len(a.block)-1)]
		out := a.block[:0]
		for _, c := range piece {
			if a.cr && c != '\n' {
				out = append(out, '\r')
			}
			a.cr = c == '\r'
			if !a.cr {
				out = append(out, c)
			}
		}
		if len(out) > 0 {
			if _, err := a.dst.Write(out); err != nil {
				return done, err
			}
		}
		done += len(piece)
	}
	return done, nil
}

// end writes the CR that the stream ended with.
func (a *asciiWriter) end() error {
	if !a.cr {
		return nil
	}
	_, err := a.dst.Write([]byte{'\r'})
	return err
}

// receiveText is receiveFile under TYPE A.
func (t *transfer) receiveText(ctx context.Context, up *vfs.Upload) error {
	w := &asciiWriter{dst: up, block: t.s.srv.blocks.get()}
	defer t.s.srv.blocks.put(w.block)
	if err := t.receive(ctx, w); err != nil {
		return err
	}
	return w.end()
}
