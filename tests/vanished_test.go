//go:build linux

package tests

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKeepAlive checks that control and data connections probe a silent client.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	s := serve(t, nil)
	c := login(t, s.addr, u.name, u.password)
	data, err := c.passive()
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	if r, err := c.do("STOR a"); err != nil || r.code >= 200 {
		t.Fatal(r, err)
	}
	for what, conn := range map[string]net.Conn{"control": c.conn, "data": data} {
		row := ""
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the kernel's row of the %s connection: %q", what, row)
			}
		})
		eventually(t, "the "+what+" connection will send a probe within a minute", func() bool {
			row = kernelRow(t, conn.RemoteAddr(), conn.LocalAddr())
			soon := keepAliveTimer(row)
			return soon > 0 && soon <= time.Minute
		})
	}
}

// kernelRow returns the line of proc_net_tcp(5) of a connection over IPv4. /proc/net would be
// that of the process's first thread, which inNetworkOf may have left in another network.
func kernelRow(t *testing.T, local, remote net.Addr) string {
	t.Helper()
	ends := " " + hexAddr(local) + " " + hexAddr(remote) + " "
	for line := range strings.Lines(readFile(t, "/proc/thread-self/net/tcp")) {
		if strings.Contains(line, ends) {
			return line
		}
	}
	return ""
}

func hexAddr(a net.Addr) string {
	at := netip.MustParseAddrPort(a.String())
	ip := at.Addr().As4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], at.Port())
}

// keepAliveTimer returns when the kernel probes the other host, 0 for never: a timer of kind 2,
// in hundredths of seconds.
func keepAliveTimer(row string) time.Duration {
	f := strings.Fields(row)
	if len(f) < 6 {
		return 0
	}
	when, ok := strings.CutPrefix(f[5], "02:")
	n, err := strconv.ParseInt(when, 16, 64)
	if !ok || err != nil {
		return 0
	}
	return time.Duration(n) * 10 * time.Millisecond
}

// TestVanishedClient checks that a client that has vanished without a word, when idle, in the
// middle of a transfer, or before a reply has reached it, does not keep its session, even where
// no timeout of the server applies. FTPD_TEST_VANISHED=1 runs it: the kernel takes some minutes.
func TestVanishedClient(t *testing.T) {
	needRoot(t)
	need(t, "ip")
	if os.Getenv("FTPD_TEST_VANISHED") == "" {
		t.Skip("takes minutes; run: sudo FTPD_TEST_VANISHED=1 go test ./tests -run TestVanishedClient")
	}
	u := newAccount(t)
	u.file(t, "small", strings.Repeat("x", 8<<10), u.uid, u.gid, 0o600)
	big := u.file(t, "big", "", u.uid, u.gid, 0o600)
	if err := os.Truncate(big, 1<<40); err != nil {
		t.Fatal(err)
	}
	name := "ftpdt" + strings.ToLower(rand.Text()[:6])
	theirs := netip.MustParseAddr(link(t, name))
	ours := theirs.Prev()
	port := freePort(t)
	config := writeConfig(t, port,
		settings{"defaults": "session_download_rate = \"1KiB\"\n",
			"limits": "idle_timeout = \"0s\"\nstall_timeout = \"0s\"\n"})
	writeFile(t, config, strings.ReplaceAll(readFile(t, config), "127.0.0.1:", ours.String()+":"),
		0o600)
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)
	var open []net.Conn
	inNetwork(t, name, func() {
		for _, line := range []string{"PWD", "STOR up", "RETR big", "RETR small"} {
			c, err := logIn(fmt.Sprintf("%s:%d", ours, port), u.name, u.password)
			if err != nil {
				t.Error(err)
				return
			}
			data, err := c.passive()
			if err != nil {
				t.Error(err)
				return
			}
			open = append(open, c.conn, data)
			if r, err := c.do(line); err != nil || r.code >= 400 {
				t.Errorf("%s: %v, %v", line, r, err)
			}
		}
	})
	command(t, "", "ip", "-n", name, "route", "add", "blackhole", ours.String()+"/32")
	began, late := time.Now(), time.After(4*time.Minute)
	for {
		ended, grown := s.log.find(message("disconnect"))
		if len(ended) == 4 {
			break
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("after %v %d of 4 sessions have ended", time.Since(began), len(ended))
		}
	}
	t.Logf("the sessions ended within %v", time.Since(began))
	for _, conn := range open {
		conn.Close()
	}
}

// inNetwork runs f in a network namespace that has a name.
func inNetwork(t *testing.T, name string, f func()) {
	t.Helper()
	inside := exec.Command("ip", "netns", "exec", name, "cat")
	hold, err := inside.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	defer inside.Wait()
	defer hold.Close() // cat ends with it
	eventually(t, "the other network is there", func() bool {
		own, _ := os.Readlink("/proc/self/ns/net")
		other, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", inside.Process.Pid))
		return err == nil && own != other
	})
	inNetworkOf(inside.Process.Pid, f)
}
