package core

import (
	"bytes"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

// Whatever a balancer sends, a header is a prefix of it, nothing behind it is read, and it names a client or none.
func FuzzProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"PROXY TCP4 198.51.100.7 203.0.113.99 40000 21\r\nUSER alice\r\n",
		"PROXY TCP6 2001:db8::7 2001:db8::1 40000 21\r\n", "PROXY UNKNOWN\r\n", "PROXY", "USER alice\r\n", "",
		signature2 + "\x21\x11\x00\x0c\xc6\x33\x64\x07\xcb\x00\x71\x01\x9c\x40\x00\x15USER alice\r\n",
		signature2 + "\x20\x00\x00\x00", signature2 + "\x21\x31\x00\xd8" + strings.Repeat("/", 216), signature2 + "\x21\x11\xff\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		for _, how := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader} {
			r := bytes.NewReader(sent)
			h, err := readHeader(how(r))
			if err != nil {
				continue
			}
			if !bytes.HasPrefix(sent, h) || len(sent)-r.Len() != len(h) || len(h) > maxHeader2 {
				t.Errorf("of %q, %q was read, and %d bytes more", sent, h, len(sent)-r.Len()-len(h))
			}
		}
		balancer := netip.MustParseAddrPort("10.0.0.2:4321")
		server, client := memPipe(netip.AddrPort{}, balancer)
		client.Write(sent[:min(len(sent), windowSize)])
		client.CloseWrite()
		err := introduce(server)
		got := server.Remote()
		if !got.IsValid() || got.Addr().IsUnspecified() || got.Addr().IsMulticast() || err != nil && got != balancer {
			t.Errorf("%q introduces %v, %v", sent, got, err)
		}
	})
}
