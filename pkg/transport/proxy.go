package transport

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// The PROXY protocol of HAProxy, versions 1 and 2.

const (
	proxyHeaderTime = 10 * time.Second // bounds the wait; a load balancer sends the header at once
	maxHeader1      = 107              // bytes of version 1
	maxHeader2      = 4 << 10          // bytes of version 2, which may hold certificates
	signature1      = "PROXY "
	signature2      = "\r\n\r\n\x00\r\nQUIT\n"
	fixedHeader2    = 16 // bytes of version 2 that end with the length of the rest
)

var (
	errNoHeader   = errors.New("no PROXY header")
	errLongHeader = errors.New("a PROXY header that is too long")
)

// ReadProxyHeader reads the PROXY protocol header with which a connection from a load balancer must
// begin, and not one byte more. It sets the client that the header names as the connection's
// Remote; from then on limits, bans, the log and the check of data connections use that address.
// The address to which the client has connected is ignored, because a header could direct other
// clients there.
//
// The caller has set the read deadline (ProxyHeaderDeadline), which ReadProxyHeader removes. The
// error is io.EOF if the peer closed the connection without a byte, as health checks do.
func ReadProxyHeader(c Conn) error {
	raw, err := readHeader(c)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w in time", errNoHeader)
	case err != nil:
		return err
	}
	c.SetReadDeadline(time.Time{})
	header, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(raw)))
	switch {
	case err != nil:
		return fmt.Errorf("read a PROXY header: %w", err)
	case header.Command.IsLocal() || header.TransportProtocol.IsUnspec():
		return nil // a connection of the load balancer itself
	}
	tcp, ok := header.SourceAddr.(*net.TCPAddr)
	if !ok || tcp.IP.IsUnspecified() || tcp.IP.IsMulticast() {
		return fmt.Errorf("a PROXY header for %v, which is no client", header.SourceAddr)
	}
	c.SetRemote(addrPort(tcp))
	return nil
}

// ProxyHeaderDeadline returns the time at which a header must have arrived: after limit, or after
// 10 seconds if limit is 0 or longer.
func ProxyHeaderDeadline(limit time.Duration) time.Time {
	if limit == 0 || limit > proxyHeaderTime {
		limit = proxyHeaderTime
	}
	return time.Now().Add(limit)
}

// maxHeaders bounds the connections whose header ProxyHeaders awaits; no other limit counts them yet.
const maxHeaders = 256

// ErrClosing is the error of ProxyHeaders.Read if the server closes.
var ErrClosing = errors.New("the server closes")

var errManyHeaders = errors.New("too many connections wait to be introduced")

// ProxyHeaders reads the headers of control connections, of 256 at the same time at most. The zero
// value is ready, and it may be used by several goroutines.
type ProxyHeaders struct{ waiting atomic.Int32 }

// Read reads the header of a connection, as ReadProxyHeader does, with the deadline of
// ProxyHeaderDeadline. closing reports whether the server closes: a wait that the server has ended by
// a read deadline then fails with ErrClosing.
func (p *ProxyHeaders) Read(c Conn, limit time.Duration, closing func() bool) error {
	if p.waiting.Add(1) > maxHeaders {
		p.waiting.Add(-1)
		return errManyHeaders
	}
	defer p.waiting.Add(-1)
	c.SetReadDeadline(ProxyHeaderDeadline(limit))
	if closing() { // the wait may have been ended before the deadline was set
		return ErrClosing
	}
	err := ReadProxyHeader(c)
	if err != nil && closing() {
		return ErrClosing
	}
	return err
}

// readHeader reads a header and not one byte more, because the next bytes are the client's.
func readHeader(r io.Reader) ([]byte, error) {
	h := make([]byte, len(signature2), maxHeader1)
	for n := 0; n < len(h); {
		m, err := r.Read(h[n:])
		n += m
		switch {
		case !beginsHeader(string(h[:n])):
			return nil, errNoHeader
		case err == io.EOF && n > 0 && n < len(h):
			return nil, io.ErrUnexpectedEOF
		case n == 0 && errors.Is(err, syscall.ECONNRESET): // many health checks end so
			return nil, io.EOF
		case err != nil && n < len(h):
			return nil, err
		}
	}
	if h[0] == signature1[0] {
		return readHeader1(r, h)
	}
	return readHeader2(r, h)
}

// beginsHeader reports whether the first bytes of a connection may be those of a header.
func beginsHeader(read string) bool {
	return strings.HasPrefix(signature2, read) ||
		strings.HasPrefix(signature1, read[:min(len(read), len(signature1))])
}

// readHeader1 reads to the end of the line byte by byte, because version 1 has no length.
func readHeader1(r io.Reader, h []byte) ([]byte, error) {
	for bytes.IndexByte(h, '\n') < 0 {
		if len(h) >= maxHeader1 {
			return nil, errLongHeader
		}
		h = append(h, 0)
		if _, err := io.ReadFull(r, h[len(h)-1:]); err != nil {
			return nil, cutHeader(err)
		}
	}
	return h, nil
}

func readHeader2(r io.Reader, h []byte) ([]byte, error) {
	fixed := make([]byte, fixedHeader2)
	if _, err := io.ReadFull(r, fixed[copy(fixed, h):]); err != nil {
		return nil, cutHeader(err)
	}
	size := int(binary.BigEndian.Uint16(fixed[fixedHeader2-2:]))
	if fixedHeader2+size > maxHeader2 {
		return nil, errLongHeader
	}
	all := append(fixed, make([]byte, size)...)
	if _, err := io.ReadFull(r, all[fixedHeader2:]); err != nil {
		return nil, cutHeader(err)
	}
	return all, nil
}

// cutHeader returns the error for a header that has begun and ends too early.
func cutHeader(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
