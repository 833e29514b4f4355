package core

import (
	"bufio"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

// show installs another certificate for a host.
func (l *loopback) show(host, name string) {
	l.t.Helper()
	c := newCertificate(name)
	l.supervisor.mu.Lock()
	if l.supervisor.keys == nil {
		l.supervisor.keys = map[monitor.Digest]crypto.Signer{}
	}
	l.supervisor.keys[sha256.Sum256(c.Certificate[0])] = c.PrivateKey.(crypto.Signer)
	l.supervisor.mu.Unlock()
	if err := l.shown.Exchange(monitor.Certificate{Host: host, Chain: c.Certificate}); err != nil {
		l.t.Fatal(err)
	}
}

func shownName(c *tls.Conn) string {
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// list makes a listing over TLS. It returns the certificate of the data connection and the
// last reply.
func (c *tcpClient) list(cfg *tls.Config) (shown, reply string) {
	c.t.Helper()
	d := c.pasv("EPSV")
	defer d.Close()
	c.cmd("1", "NLST")
	conn := tls.Client(d, cfg)
	if err := conn.Handshake(); err == nil {
		shown = shownName(conn)
		io.ReadAll(conn)
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatal(err)
	}
	return shown, line[:3]
}

// The certificate is that of the host which the client names in TLS, or has named by HOST.
// Data connections have the same certificate, whatever name the client sends there.
func TestCertificateOfHost(t *testing.T) {
	l := serveTCPWith(t, "127.0.0.1:0", func(c *config.Config) {
		c.Hosts = []config.Host{{Name: "B.Example"}, {Name: "c.example"}}
	})
	l.show("B.Example", "b")
	for _, version := range tlsVersions {
		for _, test := range []struct{ host, named, want string }{
			{"", "b.example", "b"}, {"", "B.EXAMPLE", "b"}, {"", "c.example", "everybody"},
			{"", "unknown.example", "everybody"}, {"", "", "everybody"},
			{"b.example", "", "b"}, {"b.example", "c.example", "everybody"},
			{"c.example", "b.example", "b"},
		} {
			c := l.client(net.IPv4(127, 0, 0, 1))
			if test.host != "" {
				c.cmd("220 ", "HOST "+test.host)
			}
			cfg := &tls.Config{
				InsecureSkipVerify: true, ServerName: test.named, MaxVersion: version,
			}
			if got := shownName(c.secure(cfg)); got != test.want {
				t.Errorf("HOST %q, then %q in TLS: the certificate of %s, want %s",
					test.host, test.named, got, test.want)
			}
			c.login()
			for _, named := range []string{"", "b.example", "c.example"} {
				cfg.ServerName = named
				if got, reply := c.list(cfg); got != test.want || reply != "226" {
					t.Errorf(
						"HOST %q, then %q in TLS and %q on a data connection: "+
							"the certificate of %s, %s, want %s",
						test.host, test.named, named, got, reply, test.want,
					)
				}
			}
			c.conn.Close()
		}
	}
}

// REIN resets the choice of HOST.
func TestHostForgotten(t *testing.T) {
	l := serveTCPWith(t, "127.0.0.1:0", func(c *config.Config) {
		c.Hosts = []config.Host{{Name: "b.example"}}
	})
	l.show("b.example", "b")
	c := l.client(net.IPv4(127, 0, 0, 1))
	c.cmd("220 ", "HOST b.example")
	c.login()
	c.cmd("230 ", "REIN")
	if got := shownName(c.secure(&tls.Config{InsecureSkipVerify: true})); got != "everybody" {
		t.Errorf("the certificate of %s", got)
	}
}

// A new certificate is used from the exchange on. A session that began with the old
// certificate continues.
func TestExchangedCertificate(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	cfg := clientConfig(tls.VersionTLS13)
	before := l.client(net.IPv4(127, 0, 0, 1))
	before.secure(cfg)
	before.login()
	l.show("", "renewed")
	if shown, reply := before.list(cfg); shown != "everybody" || reply != "226" { // resumed
		t.Errorf("a session from before: %s, %s", shown, reply)
	}
	after := l.client(net.IPv4(127, 0, 0, 1))
	if got := shownName(after.secure(clientConfig(tls.VersionTLS13))); got != "renewed" {
		t.Errorf("a session from after: the certificate of %s", got)
	}
	before.cmd("200 ", "NOOP")
}

// clientOf returns the configuration of a client with a certificate; nil means no certificate.
func clientOf(certificate *tls.Certificate, version uint16, asked *bool) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MaxVersion: version,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			*asked = true
			if certificate == nil {
				return new(tls.Certificate), nil
			}
			return certificate, nil
		}}
}

// Clients present a certificate as tls.client_auth requires. Their data connections present
// the same one, or resume.
func TestClientCertificates(t *testing.T) {
	alice, bob := newCertificate("alice"), newCertificate("bob")
	stranger := newCertificate("stranger")
	for _, test := range []struct {
		auth          config.ClientAuth
		control, data *tls.Certificate
		asked, open   bool
		reply         string // to a listing
	}{
		{config.ClientAuthOff, alice, alice, false, true, "226"},
		{config.ClientAuthOptional, nil, nil, true, true, "226"},
		{config.ClientAuthOptional, nil, alice, true, true, "226"}, // not requested
		{config.ClientAuthOptional, alice, alice, true, true, "226"},
		{config.ClientAuthOptional, alice, nil, true, true, "522"},
		{config.ClientAuthOptional, stranger, nil, true, false, ""},
		{config.ClientAuthRequired, alice, alice, true, true, "226"},
		{config.ClientAuthRequired, alice, bob, true, true, "522"},
		{config.ClientAuthRequired, alice, stranger, true, true, "522"},
		{config.ClientAuthRequired, alice, nil, true, true, "522"},
		{config.ClientAuthRequired, nil, nil, true, false, ""},
		{config.ClientAuthRequired, stranger, nil, true, false, ""},
	} {
		l := serveTCPWith(t, "127.0.0.1:0",
			func(c *config.Config) { c.TLS.ClientAuth = test.auth },
			alice.Certificate[0], bob.Certificate[0])
		for name, version := range tlsVersions {
			c, asked, ignored := l.client(net.IPv4(127, 0, 0, 1)), false, false
			c.cmd("234 ", "AUTH TLS")
			conn := tls.Client(c.conn, clientOf(test.control, version, &asked))
			// In TLS 1.3 the client ends the handshake before the server checks the certificate.
			conn.Handshake()
			io.WriteString(conn, "PBSZ 0\r\n")
			n, _ := conn.Read(make([]byte, 100))
			if (n > 0) != test.open || asked != test.asked {
				t.Errorf("%s, %s: open %v, asked %v; want %v, %v",
					test.auth, name, n > 0, asked, test.open, test.asked)
			}
			if n == 0 {
				continue
			}
			c.out, c.r = conn, bufio.NewReader(conn)
			c.cmd("200 ", "PROT P")
			c.login()
			if _, got := c.list(clientOf(test.data, version, &ignored)); got != test.reply {
				t.Errorf("%s, %s: the listing is answered %s, want %s",
					test.auth, name, got, test.reply)
			}
			c.cmd("200 ", "NOOP")
		}
	}
}

// A data connection that resumes has the certificate of the client as well.
func TestClientCertificateResumed(t *testing.T) {
	alice := newCertificate("alice")
	require := func(c *config.Config) { c.TLS.ClientAuth = config.ClientAuthRequired }
	l := serveTCPWith(t, "127.0.0.1:0", require, alice.Certificate[0])
	for name, version := range tlsVersions {
		c := l.client(net.IPv4(127, 0, 0, 1))
		cfg := clientConfig(version)
		cfg.Certificates = []tls.Certificate{*alice}
		c.secure(cfg)
		c.login()
		cfg.Certificates = nil
		for range 3 {
			if _, reply := c.list(cfg); reply != "226" {
				t.Errorf("%s: a resumed data connection is answered %s", name, reply)
			}
		}
	}
}
