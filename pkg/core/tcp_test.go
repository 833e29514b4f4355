package core

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/monitor"
	"ftpd/pkg/transfer"
)

// Behaviour that depends on the kernel is tested over loopback. Everything else is in the
// transcripts.

// patience bounds a test that hangs. No test asserts a time.
const patience = 30 * time.Second

// A loopback is a server on a TCP socket.
type loopback struct {
	*world
	addr *net.TCPAddr
}

func serveTCP(t *testing.T, listen string) *loopback {
	return serveTCPWith(t, listen, func(*config.Config) {})
}

// serveTCPWith serves with a changed configuration. clientCAs sign clients' certificates, in DER.
func serveTCPWith(
	t *testing.T, listen string, change func(*config.Config), clientCAs ...[]byte,
) *loopback {
	w := newWorld(t)
	w.clientCAs = clientCAs
	change(w.config)
	return w.serveTCP(t, listen, transfer.Waits{})
}

func (w *world) serveTCP(t *testing.T, listen string, waits transfer.Waits) *loopback {
	w.config.Data.PassivePorts.First, w.config.Data.PassivePorts.Last = 0, 0
	w.config.Defaults.RequireTLS = config.RequireTLSOff
	w.srv = New(Options{
		Config: w.config, Supervisor: w.supervisor, Certificates: w.certificates(),
		UploadWaits: waits,
	})
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Skip("no such address here:", err)
	}
	served := make(chan error, 1)
	go func() { served <- w.srv.Serve(l) }() // ends when l is closed
	t.Cleanup(func() {
		l.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error("Serve ended with", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.srv.Shutdown(ctx); err != nil {
			t.Error("sessions did not end:", err)
		}
	})
	return &loopback{world: w, addr: l.Addr().(*net.TCPAddr)}
}

// A tcpClient is a simple client that fails its test when a reply is not the expected one.
type tcpClient struct {
	t    *testing.T
	conn *net.TCPConn
	out  io.Writer // conn, or TLS above it
	r    *bufio.Reader
	ip   net.IP
}

func (l *loopback) client(ip net.IP) *tcpClient {
	l.t.Helper()
	conn, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: ip, Port: l.addr.Port})
	if err != nil {
		l.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	l.t.Cleanup(func() { conn.Close() })
	c := &tcpClient{t: l.t, conn: conn, out: conn, r: bufio.NewReader(conn), ip: ip}
	c.expect("220 ")
	return c
}

func (c *tcpClient) login() {
	c.t.Helper()
	c.cmd("331 ", "USER alice")
	c.cmd("230 ", "PASS secret")
	c.cmd("200 ", "TYPE I")
}

func (c *tcpClient) expect(want string) string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, want) {
		c.t.Fatalf("expected %s, got %q, %v", want, line, err)
	}
	return line
}

func (c *tcpClient) cmd(want, line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.out, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	return c.expect(want)
}

// pasv opens a data connection by PASV or EPSV.
func (c *tcpClient) pasv(verb string) *net.TCPConn {
	c.t.Helper()
	addr := &net.TCPAddr{IP: c.ip}
	if verb == "PASV" {
		line := c.cmd("227 ", verb)
		var a, b, d, e, high, low byte
		if _, err := fmt.Sscanf(line[strings.IndexByte(line, '('):], "(%d,%d,%d,%d,%d,%d)", &a, &b,
			&d, &e, &high, &low); err != nil {
			c.t.Fatal(line, err)
		}
		addr.IP, addr.Port = net.IPv4(a, b, d, e), int(high)<<8|int(low)
	} else if _, err := fmt.Sscanf(c.cmd("229 ", verb),
		"229 Entering Extended Passive Mode (|||%d|)", &addr.Port); err != nil {
		c.t.Fatal(err)
	}
	conn, err := net.DialTCP("tcp", nil, addr)
	if err != nil {
		c.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func TestTransfersOverTCP(t *testing.T) {
	content := make([]byte, 5<<20+123)
	rand.Read(content)
	for _, test := range []struct{ listen, dial, verb string }{
		{"127.0.0.1:0", "127.0.0.1", "PASV"},
		{"127.0.0.1:0", "127.0.0.1", "EPSV"},
		{"[::1]:0", "::1", "EPSV"},
		{"[::]:0", "127.0.0.1", "PASV"}, // dual stack: the address is mapped into IPv6
		{"[::]:0", "127.0.0.1", "EPSV 1"},
		{"[::]:0", "::1", "EPSV 2"},
	} {
		t.Run(test.listen+" "+test.verb, func(t *testing.T) {
			l := serveTCP(t, test.listen)
			c := l.client(net.ParseIP(test.dial))
			c.login()
			d := c.pasv(test.verb)
			io.WriteString(c.conn, "STOR f\r\n")
			c.expect("1")
			if _, err := d.Write(content); err != nil {
				t.Fatal(err)
			}
			d.Close()
			c.expect("226 ")
			stored, err := os.ReadFile(filepath.Join(l.supervisor.home, "f"))
			if err != nil || !bytes.Equal(stored, content) {
				t.Fatal("the file is another one", err)
			}
			d = c.pasv(test.verb)
			io.WriteString(c.conn, "RETR f\r\n")
			c.expect("1")
			got, err := io.ReadAll(d)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatal("the download is another one", err)
			}
			c.expect("226 ")
			d = c.pasv(test.verb)
			io.WriteString(c.conn, "NLST\r\n")
			c.expect("1")
			if got, err := io.ReadAll(d); err != nil || string(got) != "f\r\n" {
				t.Errorf("the listing is %q, %v", got, err)
			}
			c.expect("226 ")
			c.cmd("221 ", "QUIT")
		})
	}
}

// The server dials from the address of the control connection, over each family. If the client
// refuses the connection, the reply reports it.
func TestActiveOverTCP(t *testing.T) {
	for _, test := range []struct{ listen, dial, format string }{
		{"127.0.0.1:0", "127.0.0.1", "PORT 127,0,0,1,%d,%d"},
		{"0.0.0.0:0", "127.0.0.2", "PORT 127,0,0,1,%d,%d"}, // connected from 127.0.0.1
		{"[::]:0", "127.0.0.1", "EPRT |1|127.0.0.1|%d|"},
		{"[::1]:0", "::1", "EPRT |2|0:0:0:0:0:0:0:1|%d|"},
	} {
		t.Run(test.format, func(t *testing.T) {
			l := serveTCP(t, test.listen)
			if err := os.WriteFile(filepath.Join(l.supervisor.home, "f"), []byte("content"),
				0o600); err != nil {
				t.Fatal(err)
			}
			c := l.client(net.ParseIP(test.dial))
			c.login()
			data, err := net.ListenTCP("tcp",
				&net.TCPAddr{IP: c.conn.LocalAddr().(*net.TCPAddr).IP})
			if err != nil {
				t.Fatal(err)
			}
			defer data.Close()
			port := data.Addr().(*net.TCPAddr).Port
			line := fmt.Sprintf(test.format, port)
			if strings.HasPrefix(test.format, "PORT") {
				line = fmt.Sprintf(test.format, port>>8, port&0xff)
			}
			c.cmd("200 ", line)
			c.cmd("150 ", "RETR f")
			data.SetDeadline(time.Now().Add(patience))
			d, err := data.AcceptTCP()
			if err != nil {
				t.Fatal(err)
			}
			if from := d.RemoteAddr().(*net.TCPAddr).IP; !from.Equal(c.ip) {
				t.Errorf("it comes from %s, the control connection goes to %s", from, c.ip)
			}
			if got, err := io.ReadAll(d); err != nil || string(got) != "content" {
				t.Errorf("%q, %v", got, err)
			}
			d.Close()
			c.expect("226 ")
			data.Close()
			c.cmd("200 ", line)
			c.cmd("150 ", "RETR f")
			c.expect("425 ")
			c.cmd("221 ", "QUIT")
		})
	}
}

// A client whose transfer is refused reads the reply, and then the end of the data connection
// and no reset, whatever it has sent or still sends there. The next PASV works as usual.
func TestRefusedTransferIsNotReset(t *testing.T) {
	plainAndSecure(t, func(t *testing.T, c *tcpClient, secure bool) {
		for i := range 40 {
			d := c.pasv("PASV")
			hello := bytes.Repeat([]byte("hello"), 4000*(i%2)+100)
			if i%4 < 2 {
				d.Write(hello)
			}
			c.cmd("550 ", "RETR missing")
			if i%3 == 0 {
				d.Write(hello)
				c.cmd("200 ", "NOOP")
			}
			if _, err := d.Write(hello); err != nil {
				t.Fatal("the data connection takes no more:", err)
			}
			if secure {
				d.CloseWrite() // the server lets the client end it first
			}
			if n, err := d.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Fatal("the data connection ended with", err)
			}
			d.Close()
		}
	})
}

// plainAndSecure runs a test with a logged-in client twice: without TLS and with TLS.
func plainAndSecure(t *testing.T, test func(t *testing.T, c *tcpClient, secure bool)) {
	l := serveTCP(t, "127.0.0.1:0")
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			c := l.client(net.IPv4(127, 0, 0, 1))
			c.t = t
			if secure {
				c.secure(clientConfig(tls.VersionTLS13))
			}
			c.login()
			test(t, c, secure)
		})
	}
}

// An open data connection is used for the transfer after a refused one.
func TestRefusedTransferLeavesItsConnection(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	file := filepath.Join(l.supervisor.home, "f")
	if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := l.client(net.IPv4(127, 0, 0, 1))
	c.login()
	for range 40 {
		d := c.pasv("EPSV")
		c.cmd("550 ", "RETR missing")
		c.cmd("150 ", "RETR f")
		if got, err := io.ReadAll(d); err != nil || string(got) != "content" {
			t.Fatalf("%q, %v", got, err)
		}
		d.Close()
		c.expect("226 ")
	}
}

// A client that continues at once after a refusal need not end the data connection first, and
// a client that leaves is not delayed by it.
func TestRefusedTransferHoldsUpNobody(t *testing.T) {
	plainAndSecure(t, func(t *testing.T, c *tcpClient, _ bool) {
		for _, next := range []string{"PASV", "EPSV", "QUIT"} {
			d := c.pasv("PASV")
			defer d.Close()
			c.cmd("200 ", "NOOP") // so that the server has accepted it
			c.cmd("550 ", "RETR missing")
			c.cmd("2", next)
		}
		if _, err := c.r.ReadByte(); err == nil {
			t.Error("the session goes on")
		}
	})
}

// In active mode a refused transfer makes no data connection.
func TestRefusedTransferDoesNotConnect(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	data, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	c := l.client(net.IPv4(127, 0, 0, 1))
	c.login()
	c.cmd("200 ", fmt.Sprintf("EPRT |1|127.0.0.1|%d|", data.Addr().(*net.TCPAddr).Port))
	c.cmd("550 ", "RETR missing")
	c.cmd("550 ", "NLST missing")
	c.cmd("221 ", "QUIT")
	c.r.ReadByte() // until the session has ended
	own, err := net.DialTCP("tcp", nil, data.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	first, err := data.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if first.RemoteAddr().String() != own.LocalAddr().String() {
		t.Error("a connection was made")
	}
}

// A reset of the data connection does not count as the end of an upload.
func TestResetUploadOverTCP(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	c := l.client(net.IPv4(127, 0, 0, 1))
	c.login()
	d := c.pasv("PASV")
	io.WriteString(c.conn, "STOR f\r\n")
	c.expect("1")
	d.Write([]byte("half"))
	d.SetLinger(0)
	d.Close()
	c.expect("426 ")
	c.cmd("200 ", "NOOP")
}

// A client that disconnects in the middle of a download ends the download, however full the
// connection is, and the session continues.
func TestLostDownloadOverTCP(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	if err := os.WriteFile(filepath.Join(l.supervisor.home, "big"), make([]byte, 64<<20),
		0o600); err != nil {
		t.Fatal(err)
	}
	c := l.client(net.IPv4(127, 0, 0, 1))
	c.login()
	d := c.pasv("PASV")
	io.WriteString(c.conn, "RETR big\r\n")
	c.expect("1")
	if _, err := io.ReadFull(d, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	c.cmd("200 ", "NOOP") // the control connection is read while the other one is full
	d.Close()
	c.expect("426 ")
	c.cmd("200 ", "NOOP")
}

// Each byte that arrives is noticed, in whatever pieces it arrives: a wait for new arrivals
// only would hang.
func TestNoArrivalIsLost(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	var all sync.WaitGroup
	for range 8 {
		c := l.client(net.IPv4(127, 0, 0, 1))
		all.Go(func() {
			for i := range 2000 {
				line := "NOOP\r\n"
				cut := i % len(line)
				io.WriteString(c.conn, line[:cut])
				io.WriteString(c.conn, line[cut:])
				if got, err := c.r.ReadString('\n'); got != "200 OK.\r\n" {
					t.Error(i, got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// A stop does not wait for idle sessions.
func TestShutdownOverTCP(t *testing.T) {
	l := serveTCP(t, "127.0.0.1:0")
	clients := []*tcpClient{l.client(net.IPv4(127, 0, 0, 1)), l.client(net.IPv4(127, 0, 0, 1))}
	clients[1].login()
	if err := l.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, c := range clients {
		c.expect("421 ")
		if _, err := c.r.ReadByte(); err != io.EOF {
			t.Error(err)
		}
	}
	if len(l.supervisor.ended) != 2 {
		t.Error("slots were not given back:", l.supervisor.ended)
	}
}

// A slowSupervisor admits a session when the test has received from begun and sent to proceed.
type slowSupervisor struct {
	*fakeSupervisor
	begun, proceed chan struct{}
}

func (s slowSupervisor) Admit(
	ctx context.Context, c monitor.Connection,
) (monitor.Admission, error) {
	s.begun <- struct{}{}
	<-s.proceed
	return s.fakeSupervisor.Admit(ctx, c)
}

// Admitted waits for a connection that was accepted before the listener was closed. It gets its
// session, for which Finish waits.
func TestAdmitted(t *testing.T) {
	sup := slowSupervisor{
		&fakeSupervisor{home: t.TempDir()}, make(chan struct{}), make(chan struct{}),
	}
	srv := New(Options{Config: config.Default(), Supervisor: sup})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }() // ends when l is closed
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-sup.begun
	l.Close()
	<-served
	var admitted atomic.Bool
	go func() { // ends with the test
		admitted.Store(true)
		sup.proceed <- struct{}{}
	}()
	srv.Admitted()
	if !admitted.Load() {
		t.Error("Admitted has not waited for the connection")
	}
	greeting, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(greeting, "220 ") {
		t.Errorf("greeted with %q, %v", greeting, err)
	}
	conn.Close()
	srv.Finish(t.Context())
}

// Connections that wait for their admission are bounded. Further ones lose nothing by their wait.
func TestUndecidedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sup := slowSupervisor{&fakeSupervisor{}, make(chan struct{}, 2*maxUndecided), make(chan struct{})}
		srv := New(Options{Config: config.Default(), Supervisor: sup})
		var clients []*memnet.Conn
		for range 2 * maxUndecided {
			server, client := memnet.Pipe(
				netip.MustParseAddrPort("192.0.2.1:21"), netip.MustParseAddrPort("192.0.2.2:1024"),
			)
			clients = append(clients, client)
			go srv.ServeConn(server) // ends with the session
		}
		synctest.Wait()
		if n := len(sup.begun); n != maxUndecided {
			t.Errorf("%d connections wait for their admission", n)
		}
		close(sup.proceed)
		for _, c := range clients {
			if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, "220 ") {
				t.Errorf("greeted with %q, %v", line, err)
			}
			c.Close()
		}
	})
}
