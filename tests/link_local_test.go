//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLinkLocal checks data connections in both directions between link-local addresses, whose zone
// EPSV and EPRT cannot name (RFC 2428), also from data.active_port.
func TestLinkLocal(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	for _, test := range []struct {
		name   string
		active uint16
		late   bool // the link is newer than the core, which cannot know its name
	}{{"any port", 0, false}, {"active_port", freePort(t), true}} {
		t.Run(test.name, func(t *testing.T) {
			link := ""
			if !test.late {
				link = newLink(t)
			}
			port := freePort(t)
			config := filepath.Join(t.TempDir(), "ftpd.toml")
			writeFile(t, config, fmt.Sprintf("[server]\nlisten = [\"[::]:%d\"]\n[auth]\n"+
				"pam_service = %q\n[data]\nactive_port = %d\n[admin]\nsocket = %q\n",
				port, pamService(t), test.active, filepath.Join(t.TempDir(), "admin")), 0o600)
			s := newServer(t, port, "serve", "--config", config)
			s.start(t)
			if test.late {
				link = newLink(t)
			}
			host := "fe80::f7:1%" + link
			c := login(t, net.JoinHostPort(host, fmt.Sprint(port)), u.name, u.password)
			if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
				t.Errorf("STOR with EPSV: %v, %v", r, err)
			}
			l, err := net.Listen("tcp", "["+host+"]:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			c.expect(t, 200, fmt.Sprintf("EPRT |2|fe80::f7:1|%d|", l.Addr().(*net.TCPAddr).Port))
			c.expect(t, 150, "RETR file")
			if r, err := c.reply(); r.code != 226 || err != nil {
				t.Errorf("RETR with EPRT: %v, %v", r, err)
			}
		})
	}
}

// newLink makes a network link of this host to itself with the address fe80::f7:1.
func newLink(t *testing.T) (name string) {
	t.Helper()
	name = "ftpd" + strings.ToLower(rand.Text()[:6])
	add := exec.Command("ip", "link", "add", name, "type", "veth", "peer", "name", name+"b")
	if out, err := add.CombinedOutput(); err != nil {
		t.Skipf("needs a machine that may make networks: %s", out)
	}
	t.Cleanup(func() { command(t, "", "ip", "link", "del", name) }) // and the peer with it
	command(t, "", "ip", "link", "set", name+"b", "up")
	command(t, "", "ip", "link", "set", name, "up")
	command(t, "", "ip", "address", "add", "fe80::f7:1/64", "dev", name, "nodad")
	return name
}
