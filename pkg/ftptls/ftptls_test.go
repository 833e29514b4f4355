package ftptls

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/monitor"
	"ftpd/pkg/transport"
)

// A signer is a supervisor that has a key.
type signer struct {
	monitor.Supervisor
	key crypto.Signer
}

func (s signer) Sign(_ context.Context, h monitor.Handshake) ([]byte, error) {
	return h.Sign(s.key)
}

func newServer(t *testing.T, c *config.TLS) *Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ftp.example.org"},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := NewCertificates(signer{key: key},
		[]monitor.Certificate{{Chain: [][]byte{der}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewServer(c, certificates)
}

// newControl returns a Control whose handshake is complete, and the client's end.
func newControl(t *testing.T, srv *Server, cfg *tls.Config) (*Control, *tls.Conn) {
	t.Helper()
	server, client := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
	c := srv.NewControl(server, "")
	t.Cleanup(func() { client.Close(); server.Close() })
	go feed(c, server) // ends with the connection
	theirs := tls.Client(client, cfg)
	handshaken := make(chan error, 1)
	go func() { handshaken <- theirs.Handshake() }()
	if err := errors.Join(c.Handshake(t.Context(), 0, nil), <-handshaken); err != nil {
		t.Fatal(err)
	}
	return c, theirs
}

// feed puts what arrives during the handshake.
func feed(c *Control, conn transport.Conn) {
	for {
		p := make([]byte, 4<<10)
		n, err := conn.Read(p)
		if err != nil {
			c.Abort(err)
			return
		}
		c.Put(p[:n])
	}
}

// A stream moves bytes without a stall clock.
type stream struct{ transport.Conn }

func (s stream) ReadRaw(_ context.Context, p []byte) (int, error) { return s.Conn.Read(p) }

func (s stream) WriteRaw(_ context.Context, p []byte) error {
	_, err := s.Conn.Write(p)
	return err
}

// list makes a data connection that sends some bytes. It returns what the server finds out about
// the client's session.
func list(t *testing.T, c *Control, cfg *tls.Config) (reason error, refuse bool) {
	t.Helper()
	server, client := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
	d := NewData(c.NewProof(false), server, stream{server}, &transport.Blocks{})
	text := bytes.Repeat([]byte("line\r\n"), 10_000)
	received := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(tls.Client(client, cfg))
		received <- got
		client.Close()
	}()
	ctx := t.Context()
	if err := d.Handshake(ctx); err != nil {
		t.Fatal(err)
	}
	reason, refuse = d.NotResumed()
	if err := errors.Join(d.Write(ctx, text), d.CloseWrite(ctx)); err != nil {
		t.Fatal(err)
	}
	d.Release()
	if got := <-received; !bytes.Equal(got, text) {
		t.Errorf("%d bytes arrive, not %d", len(got), len(text))
	}
	server.Close()
	return reason, refuse
}

// A data connection is refused if it does not resume the session of its own control connection and
// tls.session_reuse requires that.
func TestNotResumed(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, reuse := range []config.SessionReuse{
			config.SessionReuseRequire, config.SessionReusePrefer, config.SessionReuseOff,
		} {
			srv := newServer(t, &config.TLS{SessionReuse: reuse})
			client := func() *tls.Config {
				return &tls.Config{
					InsecureSkipVerify: true, MaxVersion: version,
					ServerName: "ftp.example.org", ClientSessionCache: tls.NewLRUClientSessionCache(8),
				}
			}
			own, foreign, none := client(), client(), client()
			c, theirs := newControl(t, srv, own)
			readTicket(t, c, theirs)
			other, otherTheirs := newControl(t, srv, foreign)
			readTicket(t, other, otherTheirs)
			for name, test := range map[string]struct {
				cfg  *tls.Config
				want error
			}{
				"own": {own, nil}, "foreign": {foreign, ErrForeignTicket}, "none": {none, ErrNoTicket},
			} {
				reason, refuse := list(t, c, test.cfg)
				want := test.want
				if reuse == config.SessionReuseOff {
					want = nil
				}
				if reason != want || refuse != (want != nil && reuse == config.SessionReuseRequire) {
					t.Errorf("%s, %s, %s: %v, %v", tls.VersionName(version), reuse, name, reason, refuse)
				}
			}
		}
	}
}

// readTicket lets the client read the ticket of TLS 1.3, which follows the handshake.
func readTicket(t *testing.T, c *Control, theirs *tls.Conn) {
	t.Helper()
	c.Complete()
	if _, err := c.Write([]byte("220 \r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(theirs, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
}

// Read never waits after the handshake: it returns what was put, and then ErrNothing.
func TestControlRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, &config.TLS{})
		c, theirs := newControl(t, srv, &tls.Config{InsecureSkipVerify: true})
		c.Complete()
		p := make([]byte, 100)
		if n, err := c.Read(p); n != 0 || err != ErrNothing {
			t.Errorf("%q, %v", p[:n], err)
		}
		for _, line := range []string{"NOOP\r\n", "QUIT\r\n"} {
			if _, err := theirs.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait() // until feed has put both records
		for _, line := range []string{"NOOP\r\n", "QUIT\r\n"} {
			if n, err := c.Read(p); string(p[:n]) != line || err != nil {
				t.Errorf("%q, %v", p[:n], err)
			}
		}
		if n, err := c.Read(p); n != 0 || err != ErrNothing {
			t.Errorf("%q, %v", p[:n], err)
		}
		theirs.NetConn().Close()
	})
}

// A virtual host that the client has named in TLS cannot be changed; any may follow without one.
func TestMayServe(t *testing.T) {
	srv := newServer(t, &config.TLS{})
	c, _ := newControl(t, srv, &tls.Config{InsecureSkipVerify: true, ServerName: "a.example.org"})
	if name := c.Complete(); name != "a.example.org" {
		t.Errorf("the client has named %q", name)
	}
	if !c.MayServe("A.example.org.") || c.MayServe("b.example.org") {
		t.Error("a name that is not the one in TLS may follow")
	}
	c, _ = newControl(t, srv, &tls.Config{InsecureSkipVerify: true})
	if c.Complete() != "" || !c.MayServe("b.example.org") {
		t.Error("a client that has named no server may not choose one")
	}
}
