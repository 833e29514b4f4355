//go:build linux

package tests

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// secure begins TLS, also for data connections. It returns the fingerprint of the server's
// certificate.
func (c *client) secure(t *testing.T) string {
	t.Helper()
	c.expect(t, 234, "AUTH TLS")
	c.tls = &tls.Config{InsecureSkipVerify: true, ServerName: "server",
		ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	conn := tls.Client(c.conn, c.tls)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.conn, c.in = conn, bufio.NewReader(conn)
	c.expect(t, 200, "PBSZ 0")
	c.expect(t, 200, "PROT P")
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// secureShare starts `ftpd share` with TLS for alice, with the password sesame, and returns a
// client that has begun TLS.
func secureShare(t *testing.T, options ...string) (s *server, dir string, c *client) {
	t.Helper()
	s, dir = share(t, append([]string{"--tls", "--user", "alice", "--password", "sesame"},
		options...)...)
	c, _, err := dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() })
	if got := c.secure(t); startOf(t, s)["certificate_sha256"] != got {
		t.Errorf("the certificate has SHA-256 %s, the log has %v", got, startOf(t, s))
	}
	c.expect(t, 331, "USER alice")
	c.expect(t, 230, "PASS sesame")
	c.expect(t, 200, "TYPE I")
	return s, dir, c
}

// TestShareTLS checks that a certificate is made for the run where none is given, and that
// --require-tls forbids clear text.
func TestShareTLS(t *testing.T) {
	t.Parallel()
	s, _, c := secureShare(t)
	if data, r, err := c.retrieve("RETR hello.txt"); data != "hello\n" || r.code != 226 ||
		err != nil {
		t.Errorf("%q, %v, %v", data, r, err)
	}
	if cert := c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0]; cert.VerifyHostname("127.0.0.1") != nil || time.Now().After(cert.NotAfter) {
		t.Errorf("the certificate is for %v, until %v", cert.IPAddresses, cert.NotAfter)
	}
	login(t, s.addr, "alice", "sesame")

	s, _, c = secureShare(t, "--require-tls")
	plain, _, err := dial(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.conn.Close()
	plain.expect(t, 530, "USER alice")
	c.expect(t, 534, "PROT C")
	if list, r, err := c.retrieve("LIST"); !strings.Contains(list, " hello.txt\r\n") ||
		r.code != 226 || err != nil {
		t.Errorf("%q, %v, %v", list, r, err)
	}
}

// TestShareCertificateFiles checks that certificate and key are read before the process confines
// itself, from one file or from two.
func TestShareCertificateFiles(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	cert, key := makeCertificate(t)
	files := map[string][]byte{"cert.pem": cert, "key.pem": key,
		"both.pem": append(bytes.Clone(key), cert...)}
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), string(text), 0o644)
	}
	block, _ := pem.Decode(cert)
	sum := sha256.Sum256(block.Bytes)
	for _, options := range [][]string{
		{"--certificate", filepath.Join(dir, "cert.pem"), "--key", filepath.Join(dir, "key.pem")},
		{"--certificate", filepath.Join(dir, "both.pem")},
	} {
		_, _, c := secureShare(t, options...)
		if got := sha256.Sum256(c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw); got != sum {
			t.Errorf("%q: the server has another certificate", options)
		}
		if data, _, err := c.retrieve("RETR hello.txt"); data != "hello\n" || err != nil {
			t.Errorf("%q, %v", data, err)
		}
	}
}

func makeCertificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// TestShareTLSClients moves files over TLS with real clients: a large one up and down, an empty
// one, a listing.
func TestShareTLSClients(t *testing.T) {
	t.Parallel()
	file := filepath.Join(sharedDir(t), "big.bin")
	content := make([]byte, 5<<20+7)
	rand.Read(content)
	writeFile(t, file, string(content), 0o644)
	for program, run := range map[string]func(t *testing.T, addr, file,
		folder string) (list string){
		"curl": tlsWithCurl, "lftp": tlsWithLftp, "python3": tlsWithFtplib, "perl": tlsWithNetFTP,
	} {
		t.Run(program, func(t *testing.T) {
			need(t, program)
			s, dir := share(t, "--write", "--tls", "--require-tls", "--user", "alice", "--password",
				"sesame")
			folder := t.TempDir()
			list := run(t, s.addr, file, folder)
			if !strings.Contains(list, "hello.txt") {
				t.Errorf("listing: %q", list)
			}
			for _, path := range []string{filepath.Join(dir, "up.bin"),
				filepath.Join(folder, "down.bin")} {
				if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s: %d bytes, %v", path, len(got), err)
				}
			}
			if info, err := os.Stat(filepath.Join(dir, "empty")); err != nil || info.Size() != 0 {
				t.Errorf("the empty file: %v, %v", info, err)
			}
			if bad, _ := s.log.find(func(r record) bool { return r.Reply >= 400 }); len(bad) > 0 {
				t.Errorf("refused: %v", bad)
			}
		})
	}
}

func tlsWithCurl(t *testing.T, addr, file, folder string) string {
	curl := func(args ...string) string {
		t.Helper()
		return command(t, "", "curl", append([]string{"--silent", "--show-error", "--max-time",
			"300", "--ssl-reqd", "--insecure", "--user", "alice:sesame"}, args...)...)
	}
	url := "ftp://" + addr + "/"
	curl("--upload-file", file, url+"up.bin")
	curl("--upload-file", "/dev/null", url+"empty")
	curl(url+"up.bin", "--output", filepath.Join(folder, "down.bin"))
	curl(url+"empty", "--output", filepath.Join(folder, "empty"))
	return curl(url)
}

func tlsWithLftp(t *testing.T, addr, file, folder string) string {
	script := strings.NewReplacer("ADDR", addr, "FILE", file, "DOWN", filepath.Join(folder, "down.bin")).Replace(`
		set cmd:fail-exit yes
		set net:max-retries 1
		set net:timeout 100
		set ftp:ssl-force yes
		set ftp:ssl-protect-data yes
		set ssl:verify-certificate no
		open -u alice,sesame ftp://ADDR
		put FILE -o up.bin
		put /dev/null -o empty
		get up.bin -o DOWN
		ls
		bye`)
	return command(t, script, "env", "HOME="+folder, "lftp")
}

// tlsWithFtplib uses Python's FTP_TLS, which waits for close_notify after every transfer.
func tlsWithFtplib(t *testing.T, addr, file, folder string) string {
	host, port, _ := net.SplitHostPort(addr)
	return command(t, `
import ftplib, io, sys
host, port, file, folder = sys.argv[1:]
f = ftplib.FTP_TLS(timeout=100)
f.connect(host, int(port))
f.login("alice", "sesame")
f.prot_p()
with open(file, "rb") as up:
    print(f.storbinary("STOR up.bin", up))
f.storbinary("STOR empty", io.BytesIO())
with open(folder + "/down.bin", "wb") as down:
    print(f.retrbinary("RETR up.bin", down.write))
f.retrlines("LIST")
assert f.nlst("hello.txt") == ["hello.txt"]
f.quit()
`, "python3", "-", host, port, file, folder)
}

// tlsWithNetFTP uses Perl's Net::FTP, which never reads on an upload's data connection.
func tlsWithNetFTP(t *testing.T, addr, file, folder string) string {
	if command(t, "eval { require IO::Socket::SSL } or print 'no'", "perl", "-") == "no" {
		t.Skip("needs IO::Socket::SSL; run: sudo apt-get install libio-socket-ssl-perl && make system")
	}
	host, port, _ := net.SplitHostPort(addr)
	return command(t, `
use Net::FTP;
my ($host, $port, $file, $folder) = @ARGV;
my $f = Net::FTP->new($host, Port => $port, Passive => 1, Timeout => 30, SSL_verify_mode => 0) or die $@;
$f->starttls or die $f->message;
$f->prot("P") or die $f->message;
$f->login("alice", "sesame") or die $f->message;
$f->binary;
$f->put($file, "up.bin") or die $f->message;
$f->put("/dev/null", "empty") or die $f->message;
$f->get("up.bin", "$folder/down.bin") or die $f->message;
print join("\n", $f->dir), "\n";
$f->quit;
`, "perl", "-", host, port, file, folder)
}
