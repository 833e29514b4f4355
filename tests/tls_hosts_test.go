//go:build linux

package tests

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVirtualHosts checks that each host has its certificate and banner, selected by the name in
// TLS or in HOST.
func TestVirtualHosts(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := newAuthority(t)
	for _, name := range []string{"ftp.example.org", "ftp.example.net"} {
		a.issue(t, name, "ecdsa")
	}
	port := freePort(t)
	s := serve(t, settings{
		"server": fmt.Sprintf("banner = \"everybody's\"\nlisten_tls = [\"127.0.0.1:%d\"]\n", port),
		"end": a.section("ftp.example.org") +
			fmt.Sprintf("[[host]]\nname = \"ftp.example.net\"\nbanner = \"of net\"\ncertificate = %q\nkey = %q\n",
				a.file("ftp.example.net.pem"), a.file("ftp.example.net.key")),
	})
	for name, banner := range map[string]string{"ftp.example.org": "everybody's",
		"ftp.example.net": "of net"} {
		// which verifies the name
		conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), a.client(name))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		c := &client{conn: conn, in: bufio.NewReader(conn)}
		if r, err := c.reply(); r.text != banner || err != nil {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		c, _, err = dial(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		if _, err := c.startTLS(a.client(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, greeting, err := dial(s.addr)
	if err != nil || greeting.text != "everybody's" {
		t.Fatal(greeting, err)
	}
	defer c.conn.Close()
	if r := c.expect(t, 220, "HOST ftp.example.net"); r.text != "of net" {
		t.Errorf("HOST: %v", r)
	}
	c.expect(t, 504, "HOST ftp.example.com")
	c.expect(t, 220, "HOST 127.0.0.1")
}

// TestClientCertificates checks certificates of clients, with curl's options and on both
// connections.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "curl")
	u := newAccount(t)
	a, others := newAuthority(t), newAuthority(t)
	a.issue(t, "localhost", "ecdsa")
	a.issue(t, "alice", "rsa")
	others.issue(t, "mallory", "rsa")
	s := serve(t, settings{"end": a.section("localhost") +
		fmt.Sprintf("client_ca = %q\nclient_auth = \"required\"\n", a.file("ca.pem"))})
	writeFile(t, filepath.Join(u.home, "file"), "for alice", 0o644)
	url := fmt.Sprintf("ftp://%s:%s@localhost:%s/file", u.name, u.password,
		s.addr[strings.LastIndex(s.addr, ":")+1:])
	for _, test := range []struct {
		from *authority
		name string
		want string
	}{{a, "alice", "for alice"}, {others, "mallory", ""}, {a, "", ""}} {
		for _, version := range []string{"1.2", "1.3"} {
			args := []string{"-sS", "--ssl-reqd", "--tls-max", version, "--cacert",
				a.file("ca.pem"), url}
			if test.name != "" {
				args = append(args, "--cert", test.from.file(test.name+".pem"), "--key",
					test.from.file(test.name+".key"))
			}
			curl := exec.Command("curl", args...)
			var stderr bytes.Buffer
			curl.Stderr = &stderr
			if out, err := curl.Output(); string(out) != test.want ||
				(err == nil) != (test.want != "") {
				t.Errorf("%q over TLS %s: %q, %v\n%s", test.name, version, out, err, &stderr)
			}
		}
	}
	s.log.wait(t, "the cause", func(r record) bool {
		return strings.Contains(r.Cause,
			"client didn't provide a certificate")
	})
	s.log.wait(t, "the cause", func(r record) bool {
		return strings.Contains(r.Cause,
			"failed to verify certificate")
	})
}

// TestBadCertificate checks that a service with a wrong certificate does not start, and that
// check names file, line and key.
func TestBadCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue(t, "one", "ecdsa")
	a.issue(t, "two", "ecdsa")
	config := a.file("ftpd.toml")
	writeFile(t, config, fmt.Sprintf("[tls]\ncertificate = %q\nkey = %q\n", a.file("one.pem"),
		a.file("two.key")), 0o600)
	want := config + ":3: tls.key: " + a.file("two.key") +
		": the key is not that of the certificate\n"
	for _, command := range []string{"check", "serve"} {
		out, err := exec.Command(filepath.Join(bin, "ftpd"), command, "--config",
			config).CombinedOutput()
		if string(out) != want || err == nil {
			t.Errorf("ftpd %s: %v\n%s", command, err, out)
		}
	}
}
