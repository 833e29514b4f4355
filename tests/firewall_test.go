//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A firewalled client is in a network of its own. Its firewall passes connections to the port of
// the control connection and to the ports that the kernel's FTP connection tracking finds
// announced on it. The tracking reads replies at the beginning of TCP segments alone
// (nf_conntrack_ftp).
func firewalled(t *testing.T) (p place, network string) {
	t.Helper()
	needRoot(t)
	need(t, "ip")
	need(t, "nft")
	network = "ftpdt" + strings.ToLower(rand.Text()[:6])
	ours := netip.MustParseAddr(link(t, network)).Prev()
	p = serveAt(t, ours.String(), "log.level = \"debug\"", nil)
	p.addr = netip.AddrPortFrom(ours, p.port).String()
	rules := exec.Command("ip", "netns", "exec", network, "nft", "-f", "-")
	rules.Stdin = strings.NewReader(fmt.Sprintf(`table ip firewall {
	ct helper tracking { type "ftp" protocol tcp; }
	chain out {
		type filter hook output priority filter; policy drop;
		tcp dport %[1]d ct state new ct helper set "tracking"
		tcp dport %[1]d accept
		ct state established,related accept
	}
}`, p.port))
	if out, err := rules.CombinedOutput(); err != nil {
		t.Skipf("needs a kernel with nftables and FTP connection tracking: %s", out)
	}
	return p, network
}

// TestFirewallReadsPassiveReplies checks that replies that announce a data connection begin a TCP
// segment, also where the client sends several commands in one write: behind a firewall the data
// connection is blocked otherwise.
func TestFirewallReadsPassiveReplies(t *testing.T) {
	t.Parallel()
	p, network := firewalled(t)
	inNetwork(t, network, func() {
		c, _, err := dial(p.addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.conn.Close()
		if err := c.announced("USER v", "PASS secret", "PASV"); err != nil {
			t.Error(err)
		}
		commands := []string{"TYPE I", "PWD", "NOOP", "FEAT", "REST 0"}
		for _, first := range commands {
			for _, second := range commands {
				for _, passive := range []string{"PASV", "EPSV"} {
					if err := c.announced(first, second, passive, "NOOP"); err != nil {
						t.Error(err) // one failure is enough: a blocked connection takes long
						return
					}
				}
			}
		}
	})
}

// announced sends lines in one write and connects to the port that one of the replies names.
func (c *client) announced(lines ...string) error {
	if _, err := io.WriteString(c.conn, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		return err
	}
	return c.connectAnnounced(lines)
}

// connectAnnounced reads the replies to lines and connects to the port that one of them names.
func (c *client) connectAnnounced(lines []string) error {
	for _, line := range lines {
		r, err := c.reply()
		if err != nil {
			return fmt.Errorf("%s of %q: %w", line, lines, err)
		}
		if r.code != 227 && r.code != 229 {
			continue
		}
		data, err := c.dialAnnounced(r)
		if err != nil {
			return fmt.Errorf("%q: %w", lines, err)
		}
		data.Close()
	}
	return nil
}

// dialAnnounced connects to the port that a reply to PASV or EPSV names.
func (c *client) dialAnnounced(r reply) (net.Conn, error) {
	if r.code == 229 {
		return c.dialData(r)
	}
	at, err := passiveAddress(r)
	if err != nil {
		return nil, err
	}
	return net.DialTimeout("tcp", at.String(), patience)
}

// TestFirewallReadsLatePassiveReplies checks the same where replies wait in the server's socket
// for a client that does not read: the kernel joins what it has not sent.
func TestFirewallReadsLatePassiveReplies(t *testing.T) {
	t.Parallel()
	p, network := firewalled(t)
	inNetwork(t, network, func() {
		d := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) {
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
			})
		}}
		conn, err := d.Dial("tcp", p.addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		c := newClient(conn)
		if _, err := c.reply(); err != nil {
			t.Error(err)
			return
		}
		c.enter(t)
		for round := range 5 { // where the kernel cuts what has waited is chance
			if err := c.announcedLate(t, p.log, round+1); err != nil {
				t.Error(err)
				return
			}
		}
	})
}

// announcedLate reads nothing until the server has answered PASV, after 20 long replies and for
// the given time.
func (c *client) announcedLate(t *testing.T, log *serverLog, time int) error {
	t.Helper()
	lines := append(slices.Repeat([]string{"HELP"}, 20), "PASV")
	for _, line := range lines {
		if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
			return err
		}
	}
	eventually(t, "PASV is answered", func() bool {
		answered, _ := log.find(func(r record) bool { return r.Reply == 227 })
		return len(answered) == time
	})
	return c.connectAnnounced(lines)
}
