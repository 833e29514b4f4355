package dtp

import (
	"io"

	"ftpd/pkg/transport"
)

// Under TYPE A lines end with CRLF on the wire and with LF in files (RFC 959 §3.1.1.1). A CRLF in a
// file is sent as it is, and a CR without LF on the wire is stored as it is, because both are more
// likely a part of the text than a mistake that should be doubled or dropped.

// An asciiReader converts a file for the wire.
type asciiReader struct {
	src io.Reader
	cr  bool // the last byte was a CR
}

// Read reads at most half of p, into its second half, and converts it towards the start of p. A
// byte becomes at most two, so that no byte is overwritten before it is read.
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

// An asciiWriter converts what arrived over the wire for a file.
type asciiWriter struct {
	dst   io.Writer
	block *transport.Block // room for a piece
	cr    bool             // the last byte was a CR, which is not written yet
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

// end writes the CR with which the stream ended.
func (a *asciiWriter) end() error {
	if !a.cr {
		return nil
	}
	_, err := a.dst.Write([]byte{'\r'})
	return err
}
