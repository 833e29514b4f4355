package core

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// A load balancer in server.proxy_protocol_from begins each connection with a header that names the client for which it connects (the
// PROXY protocol of HAProxy, versions 1 and 2). From then on that client is the connection's Remote, for limits, bans, the log and the
// check of data connections alike. Where the client thought that it connected to is not used: a header could send others there.

const (
	headerTime   = 10 * time.Second // at most, for the whole header; a balancer sends it at once
	maxHeader1   = 107              // bytes of version 1
	maxHeader2   = 4 << 10          // likewise; balancers add certificates and the like
	signature1   = "PROXY "
	signature2   = "\r\n\r\n\x00\r\nQUIT\n"
	fixedHeader2 = 16 // bytes of version 2 that end with the length of the rest
)

var (
	errNoHeader   = errors.New("no PROXY header")
	errLongHeader = errors.New("a PROXY header that is too long")
)

// introduce takes the client from the header that the peer must begin with. The caller has bounded the time. A peer that closes without a
// word has looked whether the service is there, which is io.EOF.
func introduce(c Conn) error {
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
		return nil // the balancer speaks for itself
	}
	tcp, ok := header.SourceAddr.(*net.TCPAddr)
	if !ok || tcp.IP.IsUnspecified() || tcp.IP.IsMulticast() {
		return fmt.Errorf("a PROXY header for %v, which is no client", header.SourceAddr)
	}
	c.Relay(addrPort(tcp))
	return nil
}

// readHeader reads a header and not one byte more: what follows is the client's.
func readHeader(r io.Reader) ([]byte, error) {
	h := make([]byte, len(signature2), maxHeader1)
	for n := 0; n < len(h); {
		m, err := r.Read(h[n:])
		n += m
		switch got := string(h[:n]); {
		case n > 0 && !strings.HasPrefix(signature2, got) && !strings.HasPrefix(signature1, got[:min(n, len(signature1))]):
			return nil, errNoHeader
		case err == io.EOF && n > 0 && n < len(h):
			return nil, io.ErrUnexpectedEOF
		case n == 0 && errors.Is(err, syscall.ECONNRESET): // as many health checks end
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

// readHeader1 reads to the end of the line, which nothing but its bytes tells.
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

// cutHeader is the error of a header that has begun.
func cutHeader(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// headerDeadline is when a header has to be there; patience is that of the configuration, 0 for ever.
func headerDeadline(patience time.Duration) time.Time {
	if patience == 0 || patience > headerTime {
		patience = headerTime
	}
	return time.Now().Add(patience)
}

// maxIntroducing bounds the control connections whose header is awaited: they are in no other limit yet.
const maxIntroducing = 256

// introduceControl does so for a control connection from a balancer. Others have no header: what looks like one is a command.
func (srv *Server) introduceControl(c Conn) error {
	if !srv.config.Server.ProxyProtocolFrom.Contains(c.Remote().Addr()) {
		return nil
	}
	if srv.introducing.Add(1) > maxIntroducing {
		srv.introducing.Add(-1)
		return errors.New("too many connections wait to be introduced")
	}
	defer srv.introducing.Add(-1)
	c.SetReadDeadline(headerDeadline(time.Duration(srv.config.Limits.LoginTimeout)))
	if srv.draining.Load() { // Shutdown may have woken the connection before the deadline was set
		return errShutdown
	}
	err := introduce(c)
	if err != nil && srv.draining.Load() {
		return errShutdown
	}
	return err
}

// maxIntroduced bounds the connections to one passive port whose header is awaited.
const maxIntroduced = 8

// introduced says whether a data connection comes from a balancer. It is taken when its header has come; others may come before.
func (p *passive) introduced(c Conn) bool {
	if !p.of.proxies.Contains(c.Remote().Addr()) {
		return false
	}
	if p.awaited.Add(1) > maxIntroduced {
		p.awaited.Add(-1)
		p.turnAway(c, errors.New("too many wait to be introduced"))
		return true
	}
	go func() { // ends at the header's deadline
		defer p.awaited.Add(-1)
		c.SetReadDeadline(headerDeadline(p.of.patient))
		if err := introduce(c); err != nil {
			p.turnAway(c, err)
		} else {
			p.take(c)
		}
	}()
	return true
}

// from is the address from which a data connection is made: that of the control connection, from which the client's firewall expects it.
// Behind a balancer the client may be of another family, and then the system chooses.
func (s *Session) from() netip.Addr {
	if local := s.conn.Local().Addr(); local.Is4() == s.ipv4() {
		return local
	}
	return netip.Addr{}
}

// ipv4 says which family the client uses, which behind a balancer need not be that of the connection.
func (s *Session) ipv4() bool { return s.conn.Remote().Addr().Is4() }
