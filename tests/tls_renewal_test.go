//go:build linux

package tests

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// install makes the certificate and key of name available at the configured paths, as certbot
// does: by links into an archive.
func (a *authority) install(t *testing.T, name string) {
	t.Helper()
	a.link(t, name+".pem", "live.pem")
	a.link(t, name+".key", "live.key")
}

func (a *authority) link(t *testing.T, to, name string) {
	t.Helper()
	next := a.file(name + ".next")
	if err := os.Symlink(filepath.Join("archive", to), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, a.file(name)); err != nil {
		t.Fatal(err)
	}
}

// archive makes certificates of these names below an archive, all with the same name for clients.
func (a *authority) archive(t *testing.T, names ...string) {
	t.Helper()
	if err := os.Mkdir(a.file("archive"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		a.issueAs(t, filepath.Join("archive", name), "localhost", "ecdsa", 100*24*time.Hour)
		if err := os.Chown(a.file("archive/"+name+".key"), ordinaryUID(), -1); err != nil {
			t.Fatal(err)
		}
	}
}

// serial returns the serial number of the certificate that a new client gets.
func serial(t *testing.T, addr string, a *authority) string {
	t.Helper()
	c, _, err := dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	state, err := c.startTLS(a.client("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	return state.PeerCertificates[0].SerialNumber.String()
}

// TestRenewedCertificate renews a certificate during a transfer: new clients get the new one, and
// the transfer and its session go on. A certificate that does not match its key is not accepted.
func TestRenewedCertificate(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	const size = 256 << 20
	if err := os.WriteFile(filepath.Join(u.home, "big"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(u.home, "big"), size); err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t)
	a.archive(t, "1", "2", "3")
	a.install(t, "1")
	s := serve(t, settings{"end": a.section("live")})
	c, _ := secureLogin(t, s.addr, a.client("localhost"), u.name, u.password)
	before := serial(t, s.addr, a)

	raw, err := c.passive()
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if r, err := c.do("RETR big"); err != nil || r.code != 150 {
		t.Fatalf("RETR: %v, %v", r, err)
	}
	data := tls.Client(raw, c.tls)
	got, err := io.CopyN(io.Discard, data, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	a.install(t, "2")
	s.log.wait(t, "the renewal", message("certificate renewed"))
	after := serial(t, s.addr, a)
	if after == before {
		t.Error("the old certificate is shown")
	}

	a.link(t, "3.pem", "live.pem")
	r := s.log.wait(t, "the refusal",
		message("the new certificate is not taken: the old one stays"))
	if !strings.Contains(r.Error, a.file("live.key")+": the key is not that of the certificate") {
		t.Errorf("the refusal has no reason: %s", r.Text)
	}
	if got := serial(t, s.addr, a); got != after {
		t.Error("a certificate without its key is shown")
	}

	rest, err := io.Copy(io.Discard, data)
	if got += rest; got != size || err != nil {
		t.Errorf("%d bytes of %d, %v", got, size, err)
	}
	raw.Close()
	if r, err := c.reply(); r.code != 226 || err != nil {
		t.Errorf("the transfer ends with %v, %v", r, err)
	}
	if list, r, err := c.retrieve("NLST"); !strings.HasSuffix(list, "big\r\n") || r.code != 226 ||
		err != nil {
		t.Errorf("the session goes on with %q, %v, %v", list, r, err)
	}
	if deaths, _ := s.log.find(message("core died")); len(deaths) > 0 {
		t.Errorf("a core died: %v", deaths)
	}
}

// TestOrdinaryUserServesTLS checks that the service of an ordinary user, confined to what it
// serves, has TLS as well, and reads renewed certificates under their new names.
func TestOrdinaryUserServesTLS(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t)
	a.dir = sharedDir(t)
	a.archive(t, "1", "2")
	a.install(t, "1")
	port, implicit := freePort(t), freePort(t)
	config := filepath.Join(sharedDir(t), "ftpd.toml")
	writeFile(t, config, fmt.Sprintf(`[server]
listen = ["127.0.0.1:%d"]
listen_tls = ["127.0.0.1:%d"]
[auth]
backend = "virtual"
[[user]]
name = "carla"
password = %q
home = %q
run_as = ""
%s`, port, implicit, hashes["bcrypt"], dir, a.section("live")), 0o644)
	s := newServer(t, port, "serve", "--config", config)
	asOrdinaryUser(s.cmd)
	s.start(t)
	c, _ := secureLogin(t, s.addr, a.client("localhost"), "carla", "secret")
	if r, err := c.store("STOR file", "text"); r.code != 226 || err != nil {
		t.Errorf("STOR: %v, %v", r, err)
	}
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", implicit), a.client("localhost"))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	before := serial(t, s.addr, a)
	a.install(t, "2")
	s.log.wait(t, "the renewal", message("certificate renewed"))
	if serial(t, s.addr, a) == before {
		t.Error("the old certificate is shown")
	}
	if !strings.Contains(s.log.String(), "landlock") {
		t.Errorf("it is not confined:\n%s", s.log)
	}
}
