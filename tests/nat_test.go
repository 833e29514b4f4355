//go:build linux

package tests

import (
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A place is a service with one virtual user, "v" with the password "secret", at addresses of the
// test.
type place struct {
	*server
	home string
	port uint16
}

// serveAt starts a service at a port of the addresses. The keys are added to the configuration;
// around (nil: no change) returns the command that runs the program.
func serveAt(t *testing.T, addresses, keys string, around func(args ...string) *exec.Cmd) place {
	t.Helper()
	needRoot(t)
	owner := newAccount(t)
	port := freePort(t)
	var listen []string
	for _, a := range strings.Fields(addresses) {
		listen = append(listen, strconv.Quote(net.JoinHostPort(a, fmt.Sprint(port))))
	}
	path := filepath.Join(t.TempDir(), "ftpd.toml")
	text := fmt.Sprintf("server.listen = [%s]\nauth.backend = \"virtual\"\nadmin.socket = %q\n%s\n[[user]]\nname = \"v\"\npassword = %q\nhome = %q\nrun_as = %q\n",
		strings.Join(listen, ", "), filepath.Join(t.TempDir(), "admin.sock"), keys,
		hashes["sha256-crypt"], owner.home, owner.name)
	writeFile(t, path, text, 0o600)
	s := newServer(t, port, "serve", "--config", path)
	if around != nil {
		s.cmd = around(s.cmd.Args...)
		s.cmd.Dir = "/"
	}
	s.start(t)
	return place{server: s, home: owner.home, port: port}
}

// comes logs in from one address of this host at another one.
func (p place) comes(t *testing.T, from, to string) *client {
	t.Helper()
	d := net.Dialer{Timeout: patience,
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
	conn, err := d.Dial("tcp", net.JoinHostPort(to, fmt.Sprint(p.port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := newClient(conn)
	if r, err := c.reply(); err != nil || r.code != 220 {
		t.Fatalf("greeted with %v, %v", r, err)
	}
	c.enter(t)
	return c
}

// enter logs "v" in.
func (c *client) enter(t *testing.T) {
	t.Helper()
	c.expect(t, 331, "USER v")
	c.expect(t, 230, "PASS secret")
	c.expect(t, 200, "TYPE I")
}

// pasv sends PASV and returns the address and the port of its reply.
func (c *client) pasv(t *testing.T) netip.AddrPort {
	t.Helper()
	at, err := passiveAddress(c.expect(t, 227, "PASV"))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// passiveAddress returns the address and the port that a reply to PASV names.
func passiveAddress(r reply) (netip.AddrPort, error) {
	var n [6]byte
	_, inside, _ := strings.Cut(r.text, "(")
	_, err := fmt.Sscanf(inside, "%d,%d,%d,%d,%d,%d", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5])
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("PASV: %v: %w", r, err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(n[:4])), uint16(n[4])<<8|uint16(n[5])), nil
}

// TestPublicAddresses checks that PASV names the public address for the client and for the
// address that it connected to; EPSV names none, and the port is the same everywhere.
func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	p := serveAt(t, "0.0.0.0 ::1", `nat.public_address = "203.0.113.7"
nat.public_addresses = { "127.0.0.3" = "203.0.113.8", "127.0.0.4" = "localhost" }
nat.local_networks = ["127.0.0.9", "127.0.1.0/24"]`, nil)
	for _, test := range []struct{ from, to, want string }{
		{"127.0.0.1", "127.0.0.1", "203.0.113.7"},
		{"127.0.0.1", "127.0.0.3", "203.0.113.8"},
		{"127.0.0.1", "127.0.0.4", "127.0.0.1"}, // localhost
		{"127.0.0.9", "127.0.0.1", "127.0.0.1"},
		{"127.0.0.8", "127.0.0.1", "203.0.113.7"},
		{"127.0.1.255", "127.0.0.3", "127.0.0.3"},
		{"127.0.2.0", "127.0.0.2", "203.0.113.7"},
	} {
		c := p.comes(t, test.from, test.to)
		if got := c.pasv(t); got.Addr().String() != test.want {
			t.Errorf("%s at %s gets %s, not %s", test.from, test.to, got.Addr(), test.want)
		}
	}
	c := p.comes(t, "127.0.0.1", "127.0.0.3")
	if r := c.expect(t, 229, "EPSV"); strings.Contains(r.text, "203") {
		t.Errorf("EPSV: %v", r)
	}
	if r, err := c.store("STOR up", "text"); err != nil || r.code != 226 {
		t.Errorf("STOR: %v, %v", r, err)
	}
	six := p.comes(t, "::1", "::1")
	six.expect(t, 522, "PASV")
	six.expect(t, 229, "EPSV")
}

// TestPublicName checks that a host name is looked up again while the service runs: where it did
// not resolve at the start, and where its address changes. Sessions that exist get the new
// address.
func TestPublicName(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	hosts := filepath.Join(dir, "hosts")
	writeFile(t, hosts, "127.0.0.1 localhost\n", 0o644)
	writeFile(t, filepath.Join(dir, "nsswitch"), "hosts: files\n", 0o644)
	p := serveAt(t, "127.0.0.1", `nat.public_address = "ftp.test.invalid"`,
		func(args ...string) *exec.Cmd {
			script := fmt.Sprintf("mount --bind %s /etc/hosts && mount --bind %s /etc/nsswitch.conf && exec \"$@\"", hosts, filepath.Join(dir, "nsswitch"))
			return exec.Command("unshare",
				append([]string{"--mount", "sh", "-c", script, "sh"}, args...)...)
		})
	p.log.wait(t, "a name that is not found",
		message("the public address cannot be looked up: PASV names the local one"))
	c := p.comes(t, "127.0.0.1", "127.0.0.1")
	if got := c.pasv(t); got.Addr().String() != "127.0.0.1" {
		t.Errorf("before it is found: %s", got)
	}
	writeFile(t, hosts, "203.0.113.9 ftp.test.invalid\n", 0o644)
	p.log.wait(t, "a name that is found", message("public address"))
	eventually(t, "PASV names what was found",
		func() bool { return c.pasv(t).Addr().String() == "203.0.113.9" })
}

// TestPrivateAddressIsAWarning checks that a start warns of addresses that are useless for
// clients from outside.
func TestPrivateAddressIsAWarning(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const private = "10.99.87.65"
	command(t, "", "ip", "address", "add", private+"/32", "dev", "lo")
	t.Cleanup(func() { command(t, "", "ip", "address", "del", private+"/32", "dev", "lo") })
	warning := message("PASV names a private address: clients from outside cannot connect to it; set nat.public_address")
	for _, test := range []struct {
		keys string
		want bool
	}{
		{"", true},
		{`nat.public_address = "192.168.7.7"`, true},
		{`nat.public_address = "203.0.113.7"`, false},
		{fmt.Sprintf(`nat.public_addresses = { %q = "203.0.113.7" }`, private), false},
		{`nat.local_networks = ["10.0.0.0/8"]`, true},
		{`nat.local_networks = ["0.0.0.0/0"]`, false},
		{`data.passive = false`, false},
	} {
		p := serveAt(t, private, test.keys, nil)
		if found, _ := p.log.find(warning); len(found) > 0 != test.want {
			t.Errorf("%s: warned: %v", test.keys, len(found) > 0)
		}
		p.stop(t)
	}
}
