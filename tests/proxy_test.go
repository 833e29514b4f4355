//go:build linux

package tests

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// header1 and header2 return the header by which a load balancer introduces a client, in the two
// versions of the PROXY protocol.
func header1(client, to string) string {
	c, d := netip.MustParseAddrPort(client), netip.MustParseAddrPort(to)
	family := "TCP6"
	if c.Addr().Is4() {
		family = "TCP4"
	}
	return fmt.Sprintf("PROXY %s %s %s %d %d\r\n", family, c.Addr(), d.Addr(), c.Port(), d.Port())
}

func header2(client, to string) string {
	c, d := netip.MustParseAddrPort(client), netip.MustParseAddrPort(to)
	family := byte(0x21)
	if c.Addr().Is4() {
		family = 0x11
	}
	addresses := append(c.Addr().AsSlice(), d.Addr().AsSlice()...)
	addresses = binary.BigEndian.AppendUint16(addresses, c.Port())
	addresses = binary.BigEndian.AppendUint16(addresses, d.Port())
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21"), family)
	h = binary.BigEndian.AppendUint16(h, uint16(len(addresses)))
	return string(append(h, addresses...))
}

// balance connects as a balancer at an address of this host, and sends the header.
func (p place) balance(t *testing.T, from, header string) *client {
	t.Helper()
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), p.port)
	if netip.MustParseAddr(from).Is6() {
		to = netip.AddrPortFrom(netip.IPv6Loopback(), p.port)
	}
	return newClient(balanced(t, from, to, header))
}

func balanced(t *testing.T, from string, to netip.AddrPort, header string) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience,
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
	conn, err := d.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, header); err != nil {
		t.Fatal(err)
	}
	return conn
}

// greeted reads the greeting, and fails the test where it has another code.
func (c *client) greeted(t *testing.T, code int) reply {
	t.Helper()
	r, err := c.reply()
	if err != nil || r.code != code {
		t.Fatalf("greeted with %v, %v; want %d", r, err, code)
	}
	return r
}

// offered returns the address that EPSV or PASV offers for a data connection, for a balancer that
// forwards the port.
func (c *client) offered(t *testing.T, verb string) netip.AddrPort {
	t.Helper()
	if verb == "PASV" {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.pasv(t).Port())
	}
	var port uint16
	r := c.expect(t, 229, verb)
	_, after, _ := strings.Cut(r.text, "(|||")
	if _, err := fmt.Sscanf(after, "%d|", &port); err != nil {
		t.Fatalf("%s: %v", verb, r)
	}
	addr := c.conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	return netip.AddrPortFrom(addr, port)
}

// TestProxyProtocol checks that the header names the client, in both versions and families: in
// the log, for limits, and for data connections.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	p := serveAt(t, "127.0.0.1 ::1", `server.proxy_protocol_from = ["127.0.0.2", "::1"]
nat.public_address = "203.0.113.7"
nat.local_networks = ["198.51.100.0/25"]
limits.max_sessions_per_ip = 1`, nil)
	for _, test := range []struct {
		name, balancer, client, neighbour, verb, address string
		header                                           func(client, to string) string
	}{
		{"v1", "127.0.0.2", "198.51.100.200:4000", "198.51.100.199:4000", "PASV", "203.0.113.7",
			header1},
		{"v2", "127.0.0.2", "198.51.100.201:4000", "198.51.100.199:4000", "PASV", "203.0.113.7",
			header2},
		{"local network", "127.0.0.2", "198.51.100.7:4000", "198.51.100.8:4000", "PASV",
			"127.0.0.1", header2},
		{"v1, IPv6", "::1", "[2001:db8:7::7]:4000", "[2001:db8::6]:4000", "EPSV", "", header1},
		{"v2, IPv6", "::1", "[2001:db8:8::7]:4000", "[2001:db8::6]:4000", "EPSV 2", "", header2},
		{"IPv6 over IPv4", "127.0.0.2", "[2001:db8:9::7]:4000", "[2001:db8::6]:4000", "EPSV 2", "",
			header2},
		{"IPv4 over IPv6", "::1", "198.51.100.202:4000", "198.51.100.199:4000", "EPSV 1", "",
			header1},
	} {
		t.Run(test.name, func(t *testing.T) {
			shown := "203.0.113.200:21"
			if test.client[0] == '[' {
				shown = "[2001:db8::200]:21"
			}
			header := test.header(test.client, shown)
			c := p.balance(t, test.balancer, header)
			c.greeted(t, 220)
			c.enter(t)
			p.log.wait(t, "the login", func(r record) bool {
				return r.Message == "login" &&
					r.Remote == test.client
			})
			// a second session of the same address
			p.balance(t, test.balancer, header).greeted(t, 421)
			if test.address != "" {
				if got := c.pasv(t); got.Addr().String() != test.address {
					t.Errorf("PASV names %s, not %s", got.Addr(), test.address)
				}
			}
			to := c.offered(t, test.verb)
			c.expect(t, 150, "STOR up")
			for what, begin := range map[string]string{
				"another client": test.header(test.neighbour, shown), "no client": "text",
			} {
				conn := balanced(t, test.balancer, to, begin)
				conn.SetReadDeadline(time.Now().Add(patience))
				if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
					t.Errorf("a data connection for %s is not turned away: %v", what, err)
				}
			}
			balanced(t, test.balancer, to, header+"text of "+test.name).Close()
			if r, err := c.reply(); err != nil || r.code != 226 {
				t.Errorf("STOR: %v, %v", r, err)
			}
			if got := readFile(t, filepath.Join(p.home, "up")); got != "text of "+test.name {
				t.Errorf("%q has arrived", got)
			}
		})
	}
}

// TestProxyProtocolRefusals checks that bans and allow_from apply to the client, not to the
// balancer, and that a header from any other address is a wrong command.
func TestProxyProtocolRefusals(t *testing.T) {
	t.Parallel()
	p := serveAt(t, "127.0.0.1", `server.proxy_protocol_from = ["127.0.0.2"]
ban.address_failures = 1
auth.failure_delay = "0s"
defaults.allow_from = ["198.51.100.0/24"]`, nil)
	const to = "203.0.113.200:21"
	guesser := p.balance(t, "127.0.0.2", header2("198.51.100.66:1", to))
	guesser.greeted(t, 220)
	guesser.expect(t, 331, "USER v")
	guesser.expect(t, 530, "PASS wrong")
	p.balance(t, "127.0.0.2", header1("198.51.100.66:2", to)).greeted(t, 421)
	outside := p.balance(t, "127.0.0.2", header1("192.0.2.1:1", to))
	outside.greeted(t, 220)
	outside.expect(t, 331, "USER v")
	outside.expect(t, 530, "PASS secret")
	inside := p.balance(t, "127.0.0.2", header1("198.51.100.67:1", to))
	inside.greeted(t, 220)
	inside.enter(t)

	for _, header := range []string{header1("198.51.100.68:1", to), "PROXY UNKNOWN\r\n"} {
		stranger := p.balance(t, "127.0.0.3", header)
		stranger.greeted(t, 220)
		if r, err := stranger.reply(); err != nil || r.code != 500 {
			t.Errorf("a header from a stranger: %v, %v", r, err)
		}
	}
	two := p.balance(t, "127.0.0.3", header2("198.51.100.68:1", to))
	two.greeted(t, 220)
	if rest, err := io.ReadAll(two.in); err != nil && !errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(string(rest), "230") {
		t.Errorf("version 2 from a stranger: %q, %v", rest, err)
	}

	for cause, begin := range map[string]string{"no PROXY header": "USER v\r\n",
		"read a PROXY header: ": "PROXY TCP9 x\r\n"} {
		p.balance(t, "127.0.0.2", begin).greeted(t, 421)
		p.log.wait(t, cause, func(r record) bool {
			return r.Message == "refused" && strings.HasPrefix(r.Remote, "127.0.0.2:") &&
				strings.HasPrefix(r.Cause, cause)
		})
	}
	check := p.balance(t, "127.0.0.2", "PROXY UNKNOWN\r\n") // of the balancer's health
	check.greeted(t, 220)
	check.expect(t, 221, "QUIT")
}

// TestProxyProtocolTimeout checks that a balancer that sends no header is refused after the login timeout.
func TestProxyProtocolTimeout(t *testing.T) {
	t.Parallel()
	p := serveAt(t, "127.0.0.1", `server.proxy_protocol_from = ["127.0.0.2"]
auth.failure_delay = "0s"
limits.login_timeout = "200ms"`, nil)
	p.balance(t, "127.0.0.2", "").greeted(t, 421)
	p.log.wait(t, "the cause", func(r record) bool {
		return r.Message == "refused" && strings.HasPrefix(r.Cause, "no PROXY header in time")
	})
}

// TestProxyProtocolBeforeTLS checks that the header comes before the handshake of implicit TLS,
// and likewise on data connections.
func TestProxyProtocolBeforeTLS(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	cert, key := makeCertificate(t)
	writeFile(t, filepath.Join(dir, "cert.pem"), string(cert), 0o644)
	writeFile(t, filepath.Join(dir, "key.pem"), string(key), 0o600)
	tlsPort := freePort(t)
	p := serveAt(t, "127.0.0.1", fmt.Sprintf(`server.listen_tls = ["127.0.0.1:%d"]
server.proxy_protocol_from = ["127.0.0.2"]
tls.certificate = %q
tls.key = %q`, tlsPort, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")), nil)
	const client, to = "198.51.100.7:4000", "203.0.113.200:990"
	config := &tls.Config{InsecureSkipVerify: true,
		ClientSessionCache: tls.NewLRUClientSessionCache(4), ServerName: "x"}
	raw := balanced(t, "127.0.0.2", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), tlsPort),
		header2(client, to))
	c := newClient(tls.Client(raw, config))
	c.greeted(t, 220)
	c.enter(t)
	p.log.wait(t, "the login", func(r record) bool {
		return r.Message == "login" &&
			r.Remote == client
	})
	at := c.offered(t, "EPSV")
	c.expect(t, 150, "STOR up")
	data := tls.Client(balanced(t, "127.0.0.2", at, header2(client, to)), config)
	if _, err := io.WriteString(data, "text"); err != nil {
		t.Fatal(err)
	}
	data.Close()
	if r, err := c.reply(); err != nil || r.code != 226 {
		t.Errorf("STOR: %v, %v", r, err)
	}
}
