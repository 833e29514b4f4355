//go:build linux

package tests

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// listenFor listens as a client does in active mode, and announces the address with EPRT.
func (c *client) listenFor(t *testing.T, addr string) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(addr, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	at := l.Addr().(*net.TCPAddr).AddrPort()
	c.expect(t, 200, fmt.Sprintf("EPRT |%d|%s|%d|",
		map[bool]int{true: 1, false: 2}[at.Addr().Is4()], at.Addr(), at.Port()))
	l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	return l.(*net.TCPListener)
}

// TestActivePort checks that active data connections have data.active_port as their local port
// and the address that the client connected to, several at the same time.
func TestActivePort(t *testing.T) {
	t.Parallel()
	high := freePort(t)
	for _, test := range []struct {
		port     uint16
		from, to string
	}{{high, "127.0.0.1", "127.0.0.1"}, {high, "127.0.0.1", "127.0.0.2"}, {high, "::1", "::1"},
		{20, "127.0.0.1", "127.0.0.1"}} {
		t.Run(fmt.Sprint(test.to, " ", test.port), func(t *testing.T) {
			p := serveAt(t, test.to, fmt.Sprintf("data.active_port = %d", test.port), nil)
			// more than fits into sockets
			writeFile(t, filepath.Join(p.home, "f"), strings.Repeat("x", 8<<20), 0o644)
			want := netip.AddrPortFrom(netip.MustParseAddr(test.to), test.port)
			var sessions []*client
			var data []net.Conn
			for range 3 {
				c := p.comes(t, test.from, test.to)
				l := c.listenFor(t, test.from)
				c.expect(t, 150, "RETR f")
				conn, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if from := conn.RemoteAddr().(*net.TCPAddr).AddrPort(); from != want {
					t.Errorf("the data connection comes from %s, not %s", from, want)
				}
				sessions, data = append(sessions, c), append(data, conn)
			}
			for i, conn := range data {
				if n, err := io.Copy(io.Discard, conn); err != nil || n != 8<<20 {
					t.Errorf("%d bytes, %v", n, err)
				}
				if r, err := sessions[i].reply(); err != nil || r.code != 226 {
					t.Errorf("RETR: %v, %v", r, err)
				}
			}
			if err := sessions[0].listenFor(t, test.from).Close(); err != nil { // nothing listens there
				t.Fatal(err)
			}
			sessions[0].expect(t, 150, "RETR f")
			if r, err := sessions[0].reply(); err != nil || r.code != 425 {
				t.Errorf("RETR without a listener: %v, %v", r, err)
			}
			p.log.wait(t, "the cause in the log",
				func(r record) bool {
					return r.Reply == 425 &&
						strings.Contains(r.Cause, "refused")
				})
		})
	}
}

// TestActivePortIsTaken checks that the log names the port where another program listens on it,
// and that the next transfer finds it free again.
func TestActivePortIsTaken(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	p := serveAt(t, "127.0.0.1", fmt.Sprintf("data.active_port = %d", port), nil)
	writeFile(t, filepath.Join(p.home, "f"), "text", 0o644)
	c := p.comes(t, "127.0.0.1", "127.0.0.1")
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	c.listenFor(t, "127.0.0.1")
	c.expect(t, 150, "RETR f")
	if r, err := c.reply(); err != nil || r.code != 425 {
		t.Errorf("RETR: %v, %v", r, err)
	}
	p.log.wait(t, "the cause", func(r record) bool {
		return r.Reply == 425 && strings.Contains(r.Cause,
			fmt.Sprintf("127.0.0.1:%d: address already in use", port))
	})
	l.Close()
	var mine *net.TCPListener
	// A process that another test starts at this moment holds the listener until its exec.
	eventually(t, "the port is free", func() bool {
		mine = c.listenFor(t, "127.0.0.1")
		c.expect(t, 150, "RETR f")
		r, err := c.reply()
		return err == nil && r.code == 226
	})
	conn, err := mine.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if text, err := io.ReadAll(conn); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestActivePortMistakes checks that a start refuses ports from which no connection could be
// made.
func TestActivePortMistakes(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		"server.listen = [\"127.0.0.1:2121\"]\ndata.active_port = 2121\n": `2: data\.active_port: 2121 is a port on which the service listens`,
		"data.passive_ports = \"3000-33000\"\ndata.active_port = 3100\n":  `2: data\.active_port: 3100 is one of data\.passive_ports`,
		"data.active_port = 65536\n":                                      `1: data\.active_port: 65536 is too large`,
		"server.proxy_protocol_from = [\"lb\"]\n":                         `1: server\.proxy_protocol_from: "lb" is not a network`,
		"nat.public_address = \"2001:db8::1\"\n":                          `1: nat\.public_address: .*IPv4`,
		"nat.public_addresses = { \"2001:db8::1\" = \"203.0.113.7\" }\n":  `1: nat\.public_addresses: "2001:db8::1": PASV is for`,
		"nat.public_addresses = { \"10.0.0.5\" = \"203.0.113.7:21\" }\n":  `1: nat\.public_addresses: .*neither`,
		"nat.local_networks = [\"10.0.0.1/8\"]\n":                         `1: nat\.local_networks: "10\.0\.0\.1/8" has bits`,
		"data.foreign_networks = [\"everybody\"]\n":                       `1: data\.foreign_networks: "everybody" is not`,
		"data.allow_privileged_ports = \"yes\"\n":                         `1: data\.allow_privileged_ports: `,
	} {
		expectProblems(t, "check", keys, []string{want})
	}
}

// TestActivePortWithoutRoot checks that an ordinary user gets advice in place of port 20 before
// the service starts.
func TestActivePortWithoutRoot(t *testing.T) {
	t.Parallel()
	first, err := strconv.Atoi(strings.TrimSpace(readFile(t,
		"/proc/sys/net/ipv4/ip_unprivileged_port_start")))
	if err != nil {
		t.Fatal(err)
	}
	if first <= 20 {
		t.Skip("needs port 20 to be privileged; run: sysctl net.ipv4.ip_unprivileged_port_start=1024 && make system")
	}
	dir := sharedDir(t)
	path := filepath.Join(dir, "ftpd.toml")
	writeFile(t, path, fmt.Sprintf("server.listen = [\"127.0.0.1:%d\"]\nauth.backend = \"virtual\"\nadmin.socket = %q\ndata.active_port = 20\n[[user]]\nname = \"v\"\npassword = %q\nhome = %q\nrun_as = \"\"\n",
		freePort(t), filepath.Join(dir, "admin.sock"), hashes["sha256-crypt"], dir), 0o644)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ftpd"), "serve", "--config", path)
	cmd.Dir = "/"
	asOrdinaryUser(cmd)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 ||
		!strings.Contains(string(out), "data.active_port = 20: ports below 1024 need root") {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
