package core

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ftpd/pkg/config"
)

var tlsVersions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// clientConfig returns the configuration of a client that keeps tickets.
func clientConfig(version uint16) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true,
		ServerName:         "server", // the name of its tickets
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
		MaxVersion:         version,
	}
}

// A fickle cache returns each ticket once, as TLS 1.3 requires, or never.
type fickle struct {
	never   bool
	session *tls.ClientSessionState
}

func (f *fickle) Get(string) (*tls.ClientSessionState, bool) {
	if f.never {
		return nil, false
	}
	s := f.session
	f.session = nil
	return s, s != nil
}

func (f *fickle) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		f.session = s
	}
}

// A watched connection records whether its stream has ended, which crypto/tls does not
// distinguish from close_notify.
type watched struct {
	*net.TCPConn
	ended bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.TCPConn.Read(p)
	w.ended = w.ended || err == io.EOF
	return n, err
}

// secure begins TLS on the control connection, and requests it for data connections.
func (c *tcpClient) secure(cfg *tls.Config) *tls.Conn {
	c.t.Helper()
	c.cmd("234 ", "AUTH TLS")
	conn := tls.Client(&watched{TCPConn: c.conn}, cfg)
	if err := conn.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.out, c.r = conn, bufio.NewReader(conn)
	c.cmd("200 ", "PBSZ 0")
	c.cmd("200 ", "PROT P")
	return conn
}

func (c *tcpClient) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.out, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// Every data connection resumes the session of the control connection and ends with
// close_notify, and the transferred bytes arrive.
func TestTransfersOverTLS(t *testing.T) {
	content := make([]byte, 5<<20+123)
	rand.Read(content)
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			c := l.client(net.IPv4(127, 0, 0, 1))
			cfg := clientConfig(version)
			cfg.NextProtos = []string{"ftp"}
			control := c.secure(cfg)
			p := control.ConnectionState()
			if p.NegotiatedProtocol != "ftp" || p.Version != version {
				t.Errorf("the control connection has protocol %q, version %x",
					p.NegotiatedProtocol, p.Version)
			}
			if version == tls.VersionTLS13 && p.CurveID != tls.X25519MLKEM768 {
				t.Errorf("the control connection exchanges keys by %v", p.CurveID)
			}
			c.login()
			for i, command := range []string{
				"STOR f", "LIST", "RETR f", "RETR f", "STOR f", "NLST", "STOR f",
			} {
				d := c.pasv("PASV")
				c.say(command)
				c.expect("1")
				raw := &watched{TCPConn: d}
				conn := tls.Client(raw, cfg)
				switch command {
				case "STOR f":
					if _, err := conn.Write(content); err != nil {
						t.Fatal(command, err)
					}
					conn.CloseWrite()
					if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
						t.Errorf("%s ends with %v", command, err)
					}
				case "RETR f":
					got, err := io.ReadAll(conn)
					if err != nil || !bytes.Equal(got, content) {
						t.Error("the download is another one", err)
					}
				default:
					if got, err := io.ReadAll(conn); err != nil ||
						!strings.HasSuffix(string(got), "f\r\n") {
						t.Errorf("%s: %q, %v", command, got, err)
					}
				}
				if curve := conn.ConnectionState().CurveID; version == tls.VersionTLS13 &&
					curve != tls.X25519 {
					t.Errorf("data connection %d exchanges keys by %v", i, curve)
				}
				if !conn.ConnectionState().DidResume {
					t.Errorf("data connection %d (%s) has not resumed", i, command)
				}
				if raw.ended {
					t.Errorf("%s ends without close_notify", command)
				}
				conn.Close()
				c.expect("226 ")
			}
			stored, err := os.ReadFile(filepath.Join(l.supervisor.home, "f"))
			if err != nil || !bytes.Equal(stored, content) {
				t.Error("the file is another one", err)
			}
			c.cmd("221 ", "QUIT")
			if _, err := c.r.ReadByte(); err != io.EOF || control.NetConn().(*watched).ended {
				t.Errorf("the control connection ends with %v, without close_notify: %v",
					err, control.NetConn().(*watched).ended)
			}
		})
	}
}

// A client that uses each ticket once, and reads each connection to its end, gets a new ticket
// on each, also behind its uploads. If certificates of clients are requested, crypto/tls sends
// the ticket apart from the handshake.
func TestTicketsUsedOnce(t *testing.T) {
	for _, auth := range []config.ClientAuth{config.ClientAuthOff, config.ClientAuthRequired} {
		t.Run(fmt.Sprint("client_auth ", auth), func(t *testing.T) {
			alice := newCertificate("alice")
			l := serveTCPWith(t, "127.0.0.1:0",
				func(c *config.Config) { c.TLS.ClientAuth = auth }, alice.Certificate[0])
			c := l.client(net.IPv4(127, 0, 0, 1))
			cfg := clientConfig(tls.VersionTLS13)
			cfg.ClientSessionCache = &fickle{}
			cfg.Certificates = []tls.Certificate{*alice}
			c.secure(cfg)
			c.login()
			for i, command := range []string{
				"NLST", "NLST", "STOR f", "STOR f", "RETR f", "APPE f", "MLSD",
			} {
				d := c.pasv("PASV")
				c.say(command)
				c.expect("1")
				conn := tls.Client(d, cfg)
				if command == "STOR f" || command == "APPE f" {
					io.WriteString(conn, "content")
					conn.CloseWrite()
				}
				if _, err := io.ReadAll(conn); err != nil {
					t.Error(command, err)
				}
				conn.Close()
				c.expect("226 ")
				if !conn.ConnectionState().DidResume {
					t.Errorf("%d (%s) has not resumed", i, command)
				}
			}
		})
	}
}

// A client that offers other protocols than FTP (ALPN) gets the alert no_application_protocol, on
// control and on data connections. The session of the data connection continues.
func TestOtherProtocolNames(t *testing.T) {
	const refused = "remote error: tls: no application protocol"
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			other := clientConfig(version)
			other.NextProtos = []string{"http/1.1", "ftp-data"}
			bad := l.client(net.IPv4(127, 0, 0, 1))
			bad.cmd("234 ", "AUTH TLS")
			if err := tls.Client(bad.conn, other).Handshake(); err == nil ||
				err.Error() != refused {
				t.Errorf("a handshake of HTTP ends with %v", err)
			}
			c := l.client(net.IPv4(127, 0, 0, 1))
			cfg := clientConfig(version)
			c.secure(cfg)
			c.login()
			for _, test := range []struct {
				offer          []string
				selected, want string
			}{
				{[]string{"h2", "http/1.1"}, "", refused},
				{[]string{"h2", "ftp-data"}, "ftp-data", ""},
				{[]string{"x-filezilla-ftp", "ftp"}, "ftp", ""},
				{nil, "", ""},
			} {
				cfg.NextProtos = test.offer
				d := c.pasv("PASV")
				c.say("NLST")
				c.expect("1")
				conn, problem := tls.Client(d, cfg), ""
				if _, err := io.ReadAll(conn); err != nil {
					problem = err.Error()
				}
				got := conn.ConnectionState().NegotiatedProtocol
				if problem != test.want || got != test.selected {
					t.Errorf("%q on a data connection: %q, %s", test.offer, got, problem)
				}
				if test.want != "" {
					c.expect("522 ")
				} else {
					c.expect("226 ")
				}
			}
		})
	}
}

// A wholeRecords is a connection whose Read never takes more than the current record, as
// OpenSSL reads: bytes behind the handshake of the server stay unread in the kernel.
type wholeRecords struct {
	*net.TCPConn
	header [5]byte
	have   int // bytes of header not delivered yet
	left   int // bytes of the record behind it
}

func (r *wholeRecords) Read(p []byte) (int, error) {
	if r.have == 0 && r.left == 0 {
		if _, err := io.ReadFull(r.TCPConn, r.header[:]); err != nil {
			return 0, err
		}
		r.have, r.left = len(r.header), int(binary.BigEndian.Uint16(r.header[3:]))
	}
	if r.have > 0 {
		n := copy(p, r.header[len(r.header)-r.have:])
		r.have -= n
		return n, nil
	}
	n, err := r.TCPConn.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// upload is the client that loses files: it does not read after the handshake, and closes
// after its last write.
func upload(conn *net.TCPConn, cfg *tls.Config, content []byte) error {
	c := tls.Client(&wholeRecords{TCPConn: conn}, cfg)
	if _, err := c.Write(content); err != nil {
		return err
	}
	return conn.Close()
}

// Uploads of a client that never reads arrive completely, resumed or not: no ticket is unread
// when the client closes.
func TestUploadsOfAClientThatDoesNotRead(t *testing.T) {
	content := make([]byte, 3<<20)
	rand.Read(content)
	for name, cache := range map[string]tls.ClientSessionCache{
		"full handshake": &fickle{never: true}, "resumed": tls.NewLRUClientSessionCache(4),
	} {
		t.Run(name, func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			c := l.client(net.IPv4(127, 0, 0, 1))
			cfg := clientConfig(tls.VersionTLS13)
			cfg.ClientSessionCache = cache
			c.secure(cfg)
			c.login()
			for range 20 {
				d := c.pasv("PASV")
				c.say("STOR f")
				c.expect("1")
				if err := upload(d, cfg, content); err != nil {
					t.Fatal(err)
				}
				c.expect("226 ")
				if stored, err := os.ReadFile(
					filepath.Join(l.supervisor.home, "f"),
				); err != nil || !bytes.Equal(stored, content) {
					t.Fatalf("%d bytes arrived, %v", len(stored), err)
				}
			}
		})
	}
}

// This proves that the test above can fail: the same client loses files with a server that has
// a plain tls.Config.
func TestTicketsDestroyUploads(t *testing.T) {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	content := make([]byte, 3<<20)
	arrived := make(chan int64)
	go func() { // ends with the listener
		defer close(arrived)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(patience))
			n, _ := io.Copy(io.Discard,
				tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*testCertificate()}}))
			conn.Close()
			arrived <- n
		}
	}()
	lost := 0
	for range 20 {
		conn, err := net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
		if err != nil {
			t.Fatal(err)
		}
		cfg := clientConfig(tls.VersionTLS13)
		if err := upload(conn, cfg, content); err != nil {
			t.Log(err)
		}
		if <-arrived < int64(len(content)) {
			lost++
		}
	}
	if lost == 0 {
		t.Error("all uploads arrived, so nothing is proved")
	}
	t.Log(lost, "of 20 uploads were lost")
}

// Each command that arrives through TLS is run, whether its records arrive in parts or several
// at once.
func TestNoRecordIsLost(t *testing.T) {
	for name, version := range tlsVersions {
		t.Run(name, func(t *testing.T) {
			l := serveTCP(t, "127.0.0.1:0")
			var all sync.WaitGroup
			for range 4 {
				c := l.client(net.IPv4(127, 0, 0, 1))
				p := &pieces{TCPConn: c.conn}
				c.cmd("234 ", "AUTH TLS")
				conn := tls.Client(p, clientConfig(version))
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				r := bufio.NewReader(conn)
				p.hold = true
				all.Go(func() {
					for i := range 500 {
						io.WriteString(conn, "NOOP\r\n")
						io.WriteString(conn, "NOOP\r\n")
						p.release(i)
						for range 2 {
							if got, err := r.ReadString('\n'); got != "200 OK.\r\n" {
								t.Error(i, got, err)
								return
							}
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// pieces collects the written bytes and sends them in one piece, or in two.
type pieces struct {
	*net.TCPConn
	hold bool
	held []byte
}

func (p *pieces) Write(b []byte) (int, error) {
	if !p.hold {
		return p.TCPConn.Write(b)
	}
	p.held = append(p.held, b...)
	return len(b), nil
}

func (p *pieces) release(cut int) {
	cut %= len(p.held)
	p.TCPConn.Write(p.held[:cut])
	p.TCPConn.Write(p.held[cut:])
	p.held = nil
}

// A stop and a cut also end sessions inside TLS. A stop ends a handshake.
func TestShutdownOverTLS(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	idle := l.client(net.IPv4(127, 0, 0, 1))
	shaking := l.client(net.IPv4(127, 0, 0, 1))
	busy := l.client(net.IPv4(127, 0, 0, 1))
	idle.secure(clientConfig(tls.VersionTLS13))
	busy.secure(clientConfig(tls.VersionTLS13))
	busy.login()
	busy.cmd("229 ", "EPSV")
	busy.cmd("150 ", "LIST")        // no client connects for it
	shaking.cmd("234 ", "AUTH TLS") // no handshake follows
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stopped := make(chan error)
	go func() { stopped <- l.srv.Shutdown(ctx) }() // ends with ctx
	idle.expect("421 ")
	if _, err := idle.r.ReadByte(); err != io.EOF {
		t.Error("after the 421 comes", err)
	}
	if _, err := shaking.r.ReadByte(); err != io.EOF {
		t.Error("the handshake ends with", err)
	}
	cancel()
	if err := <-stopped; !errors.Is(err, ctx.Err()) {
		t.Error(err)
	}
	if _, err := io.ReadAll(busy.r); err != nil {
		t.Error("after the cut comes", err)
	}
}

// In active mode, too, the server is the server of TLS (RFC 4217 §9). ABOR ends a protected
// download that the client no longer reads.
func TestActiveAndAbortOverTLS(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	for name, size := range map[string]int{"big": 64 << 20, "small": 1000} {
		if err := os.WriteFile(filepath.Join(l.supervisor.home, name), make([]byte, size),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := l.client(net.IPv4(127, 0, 0, 1))
	cfg := clientConfig(tls.VersionTLS13)
	c.secure(cfg)
	c.login()
	data, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	data.SetDeadline(time.Now().Add(patience))
	for _, name := range []string{"big", "small"} {
		c.say(fmt.Sprintf("EPRT |1|127.0.0.1|%d|", data.Addr().(*net.TCPAddr).Port))
		c.expect("200 ")
		c.say("RETR " + name)
		c.expect("150 ")
		d, err := data.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		d.SetDeadline(time.Now().Add(patience))
		conn := tls.Client(d, cfg)
		if name == "big" {
			if _, err := io.ReadFull(conn, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			c.say("ABOR")
			c.expect("426 ")
		} else if got, err := io.ReadAll(conn); err != nil || len(got) != 1000 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		c.expect("226 ")
	}
}
