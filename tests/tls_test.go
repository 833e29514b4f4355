//go:build linux

package tests

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An authority signs the certificates of a test.
type authority struct {
	dir  string // where files go
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	var der []byte
	der, a.key = a.sign(t, "authority", "ecdsa", time.Hour)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	writeFile(t, a.file("ca.pem"), string(pemOf("CERTIFICATE", der)), 0o644)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign makes a certificate for name, valid for 127.0.0.1 and ::1 as well. The first one is that
// of the authority.
func (a *authority) sign(t *testing.T, name, kind string, life time.Duration) ([]byte,
	crypto.Signer) {
	t.Helper()
	key := newKey(t, kind)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	issuer, signer := a.cert, a.key
	if issuer == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true,
			x509.KeyUsageCertSign
		issuer, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

func newKey(t *testing.T, kind string) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// issue writes name.pem and name.key, and returns the certificate for a client of crypto/tls.
func (a *authority) issue(t *testing.T, name, kind string) tls.Certificate {
	t.Helper()
	return a.issueAs(t, name, name, kind, 100*24*time.Hour)
}

// issueAs does the same with other names of files.
func (a *authority) issueAs(t *testing.T, file, name, kind string,
	life time.Duration) tls.Certificate {
	t.Helper()
	der, key := a.sign(t, name, kind, life)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, a.file(file+".key"), string(pemOf("PRIVATE KEY", private)), 0o600)
	writeFile(t, a.file(file+".pem"), string(pemOf("CERTIFICATE", der)), 0o644)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// pool returns a pool with the authority.
func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// client returns the configuration of a client of crypto/tls for name.
func (a *authority) client(name string) *tls.Config {
	return &tls.Config{RootCAs: a.pool(), ServerName: name,
		ClientSessionCache: tls.NewLRUClientSessionCache(8), NextProtos: []string{"ftp"}}
}

// section returns [tls] with the files of name.
func (a *authority) section(name string) string {
	return fmt.Sprintf("[tls]\ncertificate = %q\nkey = %q\n", a.file(name+".pem"),
		a.file(name+".key"))
}

// startTLS begins TLS, also for data connections.
func (c *client) startTLS(cfg *tls.Config) (tls.ConnectionState, error) {
	if r, err := c.do("AUTH TLS"); err != nil || r.code != 234 {
		return tls.ConnectionState{}, fmt.Errorf("AUTH TLS: %v, %v", r, err)
	}
	conn := tls.Client(c.conn, cfg)
	conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		return tls.ConnectionState{}, err
	}
	c.conn, c.in, c.tls = conn, bufio.NewReader(conn), cfg
	for _, line := range []string{"PBSZ 0", "PROT P"} {
		if r, err := c.do(line); err != nil || r.code != 200 {
			return tls.ConnectionState{}, fmt.Errorf("%s: %v, %v", line, r, err)
		}
	}
	return conn.ConnectionState(), nil
}

// secureLogin connects, begins TLS and logs in.
func secureLogin(t *testing.T, addr string, cfg *tls.Config, user, password string) (*client,
	tls.ConnectionState) {
	t.Helper()
	c, _, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	state, err := c.startTLS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.expect(t, 331, "USER "+user)
	c.expect(t, 230, "PASS "+password)
	c.expect(t, 200, "TYPE I")
	return c, state
}

// TestServeTLS checks that system users can log in over TLS, of every version and with every kind
// of key, and that passwords without TLS are refused. The core's memory must not contain what it
// would need to be the server by itself.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			a := newAuthority(t)
			certificate := a.issue(t, "ftp.example.org", kind)
			s := serve(t, settings{"end": a.section("ftp.example.org")})
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				cfg := a.client("ftp.example.org")
				cfg.MinVersion, cfg.MaxVersion = version, version
				c, state := secureLogin(t, s.addr, cfg, u.name, u.password)
				if state.Version != version || state.NegotiatedProtocol != "ftp" {
					t.Errorf("TLS %x with ALPN %q, not %x", state.Version, state.NegotiatedProtocol,
						version)
				}
				if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
					t.Errorf("STOR: %v, %v", r, err)
				}
				if data, r, err := c.retrieve("RETR file"); data != "text" || r.code != 226 ||
					err != nil {
					t.Errorf("RETR: %q, %v, %v", data, r, err)
				}
			}
			plain, _, err := dial(s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer plain.conn.Close()
			plain.expect(t, 530, "USER "+u.name)
			keepsKey(t, s, certificate)
		})
	}
}

// keepsKey fails the test where parts of the private key are in the core's memory, in the form of
// the file or as numbers.
func keepsKey(t *testing.T, s *server, c tls.Certificate) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"PKCS #8": string(der),
		"PEM": strings.Split(string(pemOf("PRIVATE KEY", der)), "\n")[2]}
	switch key := c.PrivateKey.(type) {
	case *rsa.PrivateKey:
		secrets["d"], secrets["p"] = string(key.D.Bytes()), string(key.Primes[0].Bytes())
		secrets["d in words"], secrets["p in words"] = reversed(key.D.Bytes()),
			reversed(key.Primes[0].Bytes())
	case *ecdsa.PrivateKey:
		d, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		secrets["d"], secrets["d in words"] = string(d), reversed(d)
	case ed25519.PrivateKey:
		secrets["seed"] = string(key.Seed())
	}
	control := string(c.Certificate[0][len(c.Certificate[0])-40:])
	wanted := []string{control}
	for _, secret := range secrets {
		wanted = append(wanted, secret)
	}
	found := searchMemory(t, s.core(t), wanted...)
	if !found[control] {
		t.Fatal("the search does not find what is there: the certificate")
	}
	for name, secret := range secrets {
		if found[secret] {
			t.Errorf("the private key (%s) is in the core's memory", name)
		}
	}
	if found := searchMemory(t, s.cmd.Process.Pid, wanted...); len(found) < 2 {
		t.Error("the key is not even in the supervisor's memory: this test looks for the wrong bytes")
	}
}

// reversed returns bytes in the order in which a number has them in memory.
func reversed(p []byte) string {
	out := bytes.Clone(p)
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

// TestServeTLSTools runs the first tools of an administrator: openssl shows TLS 1.3 with ALPN,
// and curl moves files.
func TestServeTLSTools(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "openssl")
	need(t, "curl")
	u := newAccount(t)
	a := newAuthority(t)
	a.issue(t, "localhost", "ecdsa")
	s := serve(t, settings{"end": a.section("localhost")})
	show := exec.Command("openssl", "s_client", "-connect", s.addr, "-starttls", "ftp", "-alpn",
		"ftp", "-CAfile", a.file("ca.pem"), "-verify_return_error")
	show.Stdin = strings.NewReader("QUIT\n")
	out, err := show.CombinedOutput()
	for _, line := range []string{"TLSv1.3", "ALPN protocol: ftp", "Verify return code: 0 (ok)"} {
		if !strings.Contains(string(out), line) {
			t.Errorf("openssl does not print %q: %v\n%s", line, err, out)
		}
	}
	other := exec.Command("openssl", "s_client", "-connect", s.addr, "-starttls", "ftp", "-alpn",
		"h2,http/1.1")
	if out, err := other.CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "no application protocol") {
		t.Errorf("openssl with names of HTTP: %v\n%s", err, out)
	}
	s.log.wait(t, "the offer", func(r record) bool {
		return r.Message == "disconnect" && strings.Contains(r.Cause, `["h2" "http/1.1"]`)
	})
	writeFile(t, filepath.Join(a.dir, "upload"), "by curl", 0o600)
	url := fmt.Sprintf("ftp://%s:%s@localhost:%s/upload", u.name, u.password,
		s.addr[strings.LastIndex(s.addr, ":")+1:])
	for _, options := range [][]string{{}, {"--tls-max", "1.2"}} {
		curl := append([]string{"-sS", "--ssl-reqd", "--cacert", a.file("ca.pem")}, options...)
		if out, err := exec.Command("curl",
			append(curl, "-T", a.file("upload"), url)...).CombinedOutput(); err != nil {
			t.Errorf("curl %q: %v\n%s", options, err, out)
		}
		if out, err := exec.Command("curl",
			append(curl, url)...).Output(); string(out) != "by curl" || err != nil {
			t.Errorf("curl %q: %q, %v", options, out, err)
		}
	}
}

// TestServeImplicitTLS checks that TLS begins with the connection on an implicit port, for curl
// as for other clients, and that the plain port still works.
func TestServeImplicitTLS(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "curl")
	u := newAccount(t)
	a := newAuthority(t)
	a.issue(t, "localhost", "ecdsa")
	port := freePort(t)
	s := serve(t, settings{
		"server": fmt.Sprintf("listen_tls = [\"127.0.0.1:%d\", \"[::1]:%d\"]\n", port, port),
		"end":    a.section("localhost"),
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if start := startOf(t, s); !strings.Contains(fmt.Sprint(start["listen_tls"]), addr) ||
		strings.Contains(fmt.Sprint(start["listen"]), addr) {
		t.Errorf("the start record: %v", start)
	}
	cfg := a.client("localhost")
	conn, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{conn: conn, in: bufio.NewReader(conn), tls: cfg}
	if r, err := c.reply(); r.code != 220 || err != nil {
		t.Fatalf("greeted with %v, %v", r, err)
	}
	c.expect(t, 331, "USER "+u.name)
	c.expect(t, 230, "PASS "+u.password)
	if r, err := c.store("STOR file", "without PBSZ and PROT"); r.code != 226 || err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		url := fmt.Sprintf("ftps://%s:%s@%s:%d/file", u.name, u.password, host, port)
		if out, err := exec.Command("curl", "-sS", "--cacert", a.file("ca.pem"),
			url).Output(); string(out) != "without PBSZ and PROT" || err != nil {
			t.Errorf("curl, %s: %q, %v", host, out, err)
		}
	}
	secureLogin(t, s.addr, cfg, u.name, u.password)
}
