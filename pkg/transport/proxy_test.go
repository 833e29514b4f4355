package transport_test

import (
	"bytes"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"

	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/transport"
)

// For every input, the header is a prefix of it, nothing after the header is read, and the remote
// address is that of a client or stays that of the load balancer.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"PROXY TCP4 198.51.100.7 203.0.113.99 40000 21\r\nUSER alice\r\n",
		"PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n",
		"PROXY UNKNOWN\r\n", "PROXY", "USER alice\r\n", "",
		transport.Signature2 + "\x21\x11\x00\x0c\xc6\x33\x64\x07\xcb\x00\x71\x01\x9c\x40\x00\x15USER alice\r\n",
		transport.Signature2 + "\x20\x00\x00\x00",
		transport.Signature2 + "\x21\x31\x00\xd8" + strings.Repeat("/", 216),
		transport.Signature2 + "\x21\x11\xff\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		for _, how := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader} {
			r := bytes.NewReader(sent)
			h, err := transport.ReadHeader(how(r))
			if err != nil {
				continue
			}
			more := len(sent) - r.Len() - len(h)
			if !bytes.HasPrefix(sent, h) || more != 0 || len(h) > transport.MaxHeader2 {
				t.Errorf("of %q, %q was read, and %d bytes more", sent, h, more)
			}
		}
		balancer := netip.MustParseAddrPort("10.0.0.2:4321")
		server, client := memnet.Pipe(netip.AddrPort{}, balancer)
		client.Write(sent[:min(len(sent), memnet.WindowSize)])
		client.CloseWrite()
		err := transport.ReadProxyHeader(server)
		got := server.Remote()
		addr := got.Addr()
		if !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast() ||
			err != nil && got != balancer {
			t.Errorf("after %q the remote address is %v, %v", sent, got, err)
		}
	})
}
