//go:build linux

package tests

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// serveReuse serves a system user over TLS with a value of tls.session_reuse.
func serveReuse(t *testing.T, reuse string) (s *server, u account, a *authority) {
	t.Helper()
	needRoot(t)
	u, a = newAccount(t), newAuthority(t)
	a.issue(t, "localhost", "ecdsa")
	s = serve(t, settings{"end": a.section("localhost") +
		fmt.Sprintf("session_reuse = %q\n", reuse)})
	return s, u, a
}

// contentFile makes a file of hexadecimal digits for uploads, since s_client interprets some
// other letters as its commands.
func contentFile(t *testing.T, dir string, size int) (path string, content []byte) {
	t.Helper()
	raw := make([]byte, size/2)
	rand.Read(raw)
	content = hex.AppendEncode(nil, raw)
	path = filepath.Join(dir, "content")
	writeFile(t, path, string(content), 0o644)
	return path, content
}

// mixed are 20 transfers, with several uploads in a row.
var mixed = strings.Fields("LIST STOR RETR STOR STOR MLSD RETR NLST STOR RETR LIST STOR RETR STOR STOR MLSD RETR NLST STOR RETR")

// moveMixed makes a transfer of each kind in turn.
func moveMixed(c *client, verbs []string, content string) error {
	for i, verb := range verbs {
		var r reply
		var err error
		got := content
		switch verb {
		case "STOR":
			r, err = c.store("STOR f", content)
		case "RETR":
			got, r, err = c.retrieve("RETR f")
		default:
			_, r, err = c.retrieve(verb)
		}
		if err != nil || r.code != 226 || got != content {
			return fmt.Errorf("transfer %d (%s): %v, %v, %d bytes", i, verb, r, err, len(got))
		}
	}
	return nil
}

// once is a session cache that returns each ticket once (RFC 8446, appendix C.4).
type once struct{ session *tls.ClientSessionState }

func (o *once) Get(string) (*tls.ClientSessionState, bool) {
	s := o.session
	o.session = nil
	return s, s != nil
}

func (o *once) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.session = s
	}
}

// TestSessionReuseRequired checks that clients that resume the session of their control
// connection can make all transfers where that is required, in TLS 1.2 and 1.3.
func TestSessionReuseRequired(t *testing.T) {
	t.Parallel()
	s, u, a := serveReuse(t, "require")
	file, content := contentFile(t, a.dir, 1<<20+3)
	u.file(t, "f", string(content), u.uid, u.gid, 0o600)
	for _, version := range []string{"1.2", "1.3"} {
		for program, five := range map[string]func(*testing.T, string, account, *authority, string,
			string) string{
			"crypto/tls": fiveWithGo, "curl": fiveWithCurl, "lftp": fiveWithLftp,
			"python3": fiveWithFtplib, "openssl": fiveWithOpenssl,
			"php": fiveWithPHP, "ruby": fiveWithRuby,
		} {
			if program == "curl" && version == "1.2" {
				continue // it requests no ticket there
			}
			t.Run(program+" TLS "+version, func(t *testing.T) {
				if program != "crypto/tls" {
					need(t, program)
				}
				if list := five(t, s.addr, u, a, version, file); !strings.Contains(list, "f") {
					t.Errorf("listing: %q", list)
				}
				if got, err := os.ReadFile(filepath.Join(u.home, "up")); err != nil ||
					!bytes.Equal(got, content) {
					t.Errorf("%d bytes were stored, %v", len(got), err)
				}
				os.Remove(filepath.Join(u.home, "up"))
				if refused, _ := s.log.find(message("not_resumed")); len(refused) > 0 {
					t.Fatalf("refused: %s", refused[0].Text)
				}
			})
		}
	}
}

func fiveWithGo(t *testing.T, addr string, u account, a *authority, version, file string) string {
	cfg := a.client("localhost")
	cfg.MaxVersion = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[version]
	c, _ := secureLogin(t, addr, cfg, u.name, u.password)
	if err := moveMixed(c, mixed, readFile(t, file)); err != nil {
		t.Error(err)
	}
	if r, err := c.store("STOR up", readFile(t, file)); r.code != 226 || err != nil {
		t.Error(r, err)
	}
	list, _, _ := c.retrieve("NLST")
	return list
}

// fiveWithCurl uploads last: curl uses each ticket of TLS 1.3 once, and reads none behind an upload.
func fiveWithCurl(t *testing.T, addr string, u account, a *authority, version, file string) string {
	_, port, _ := net.SplitHostPort(addr)
	url := fmt.Sprintf("ftp://%s:%s@localhost:%s/", u.name, u.password, port)
	common := []string{"-sS", "--max-time", "300", "--ssl-reqd", "--cacert", a.file("ca.pem"),
		"--tls-max", version}
	var args []string
	for i, transfer := range [][]string{{url}, {"-o", "/dev/null", url + "f"},
		{"-o", "/dev/null", url + "f"}, {url}, {"-T", file, url + "up"}} {
		if i > 0 {
			args = append(args, "--next")
		}
		args = append(append(args, common...), transfer...)
	}
	return command(t, "", "curl", args...)
}

func fiveWithLftp(t *testing.T, addr string, u account, a *authority, version, file string) string {
	priority := map[string]string{"1.2": "NORMAL:-VERS-TLS1.3",
		"1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}[version]
	_, port, _ := net.SplitHostPort(addr)
	return command(t, strings.NewReplacer("PORT", port, "USER", u.name, "PASS", u.password, "FILE", file, "VERSION", version, "CA", a.file("ca.pem"), "PRIORITY", priority).Replace(`
		set cmd:fail-exit yes
		set net:max-retries 1
		set net:timeout 100
		set ftp:ssl-force yes
		set ftp:ssl-protect-data yes
		set ssl:ca-file CA
		set ssl:priority PRIORITY
		open -u USER,PASS ftp://localhost:PORT
		put FILE -o up
		put FILE -o up
		get f -o FILE.1-VERSION
		get f -o FILE.2-VERSION
		ls
		bye`), "env", "HOME="+a.dir, "lftp")
}

// fiveWithFtplib uses ftplib with the three lines that make it resume.
func fiveWithFtplib(t *testing.T, addr string, u account, a *authority, version,
	file string) string {
	_, port, _ := net.SplitHostPort(addr)
	return command(t, `
import ftplib, ssl, sys
port, user, password, ca, version, file = sys.argv[1:]
class FTP(ftplib.FTP_TLS):
    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        return self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session), size
context = ssl.create_default_context(cafile=ca)
context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
f = FTP(timeout=100, context=context)
f.connect("localhost", int(port))
f.login(user, password)
f.prot_p()
for i in range(2):
    with open(file, "rb") as up:
        f.storbinary("STOR up", up)
    f.retrbinary("RETR f", lambda data: None)
f.retrlines("LIST")
f.quit()
`, "python3", "-", port, u.name, u.password, a.file("ca.pem"), version, file)
}

// fiveWithPHP uses ext-ftp, which has no setting for the version: that of OpenSSL applies.
func fiveWithPHP(t *testing.T, addr string, u account, a *authority, version, file string) string {
	conf := filepath.Join(t.TempDir(), "openssl.cnf")
	writeFile(t, conf, "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = default\n"+
		"[default]\nMaxProtocol = TLSv"+version+"\nMinProtocol = TLSv"+version+"\n", 0o644)
	_, port, _ := net.SplitHostPort(addr)
	return command(t, `<?php
set_error_handler(function ($level, $text) { throw new ErrorException($text); });
[, $port, $user, $password, $file] = $argv;
$f = ftp_ssl_connect("localhost", (int)$port, 30);
ftp_login($f, $user, $password);
ftp_pasv($f, true);
for ($i = 0; $i < 2; $i++) {
    ftp_rawlist($f, "");
    ftp_put($f, "up", $file);
    ftp_put($f, "up", $file);
    ftp_get($f, "$file.php", "up");
}
echo implode("\n", ftp_nlist($f, ""));
`, "env", "OPENSSL_CONF="+conf, "php", "--", port, u.name, u.password, file)
}

// fiveWithRuby uses net-ftp. Over TLS 1.3 it uploads last: it closes without reading, so an
// upload leaves it without a ticket.
func fiveWithRuby(t *testing.T, addr string, u account, a *authority, version, file string) string {
	_, port, _ := net.SplitHostPort(addr)
	return command(t, `
require "net/ftp"
port, user, password, ca, version, file = ARGV
version = {"1.2" => OpenSSL::SSL::TLS1_2_VERSION, "1.3" => OpenSSL::SSL::TLS1_3_VERSION}[version]
f = Net::FTP.new("localhost", port: port.to_i, username: user, password: password, passive: true, open_timeout: 100, read_timeout: 100,
                 ssl: {ca_file: ca, min_version: version, max_version: version})
steps = version == OpenSSL::SSL::TLS1_2_VERSION ? %w[put get put put list get put] : %w[get list get get put]
puts f.list
steps.each do |step|
  case step
  when "list" then f.list
  when "put" then f.putbinaryfile(file, "up")
  when "get" then f.getbinaryfile("f", file + ".ruby")
  end
end
f.close
`, "ruby", "-", port, u.name, u.password, a.file("ca.pem"), version, file)
}

// fiveWithOpenssl uses s_client on both connections. Data connections resume from the file in
// which that of the control connection has left its session.
func fiveWithOpenssl(t *testing.T, addr string, u account, a *authority, version,
	file string) (list string) {
	option := map[string]string{"1.2": "-tls1_2", "1.3": "-tls1_3"}[version]
	session := filepath.Join(t.TempDir(), "session")
	cmd := exec.Command("openssl", "s_client", "-connect", addr, "-starttls", "ftp", "-quiet",
		option, "-sess_out", session)
	in, out := startWithPipes(t, cmd)
	replies := bufio.NewReader(out)
	expect := func(code, line string) string {
		t.Helper()
		if line != "" {
			io.WriteString(in, line+"\r\n")
		}
		got, err := replies.ReadString('\n')
		if err != nil || !strings.HasPrefix(got, code) {
			t.Fatalf("%s: %q, %v", line, got, err)
		}
		return got
	}
	for _, line := range []string{"200 PBSZ 0", "200 PROT P", "331 USER " + u.name,
		"230 PASS " + u.password, "200 TYPE I"} {
		code, line, _ := strings.Cut(line, " ")
		expect(code, line)
	}
	for _, line := range []string{"STOR up", "RETR f", "RETR f", "STOR up", "NLST"} {
		port := regexp.MustCompile(`\|(\d+)\|`).FindStringSubmatch(expect("229", "EPSV"))[1]
		expect("150", line)
		data := exec.Command("openssl", "s_client", "-connect", "127.0.0.1:"+port, "-sess_in",
			session, option, "-ign_eof")
		if strings.HasPrefix(line, "STOR") {
			data.Args = data.Args[:len(data.Args)-1] // it ends with what it sends
			data.Stdin = strings.NewReader(readFile(t, file))
		}
		shown, err := data.CombinedOutput()
		if !bytes.Contains(shown, []byte("\nReused, TLSv"+version)) {
			t.Errorf("%s: %v, %.3000s", line, err, shown)
		}
		expect("226", "")
		list = string(shown)
	}
	expect("221", "QUIT")
	return list
}

// TestSessionReuseRefused checks that plain ftplib, which never resumes, gets the reason where
// that is required, that no file is made, and that the log names it. The same holds for the
// session of another control connection of the same user.
func TestSessionReuseRefused(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	s, u, a := serveReuse(t, "require")
	_, port, _ := net.SplitHostPort(s.addr)
	out := command(t, `
import ftplib, io, ssl, sys
port, user, password, ca = sys.argv[1:]
f = ftplib.FTP_TLS(timeout=100, context=ssl.create_default_context(cafile=ca))
f.connect("localhost", int(port))
f.login(user, password)
f.prot_p()
f.sendcmd("CLNT plain ftplib")
for act in [lambda: f.retrlines("LIST"), lambda: f.storbinary("STOR f", io.BytesIO(b"hello" * 1000000))]:
    try:
        act()
        print("accepted")
    except ftplib.error_perm as e:
        print(e)
f.voidcmd("NOOP")
f.quit()
`, "python3", "-", port, u.name, u.password, a.file("ca.pem"))
	if n := strings.Count(out, "522 TLS session reuse required"); n != 2 ||
		strings.Contains(out, "accepted") {
		t.Errorf("ftplib prints %q", out)
	}
	r := s.log.wait(t, "what was refused",
		func(r record) bool { return r.Message == "not_resumed" && r.Reply == 522 })
	if r.Client != "plain ftplib" || r.User != u.name || r.Count != 1 || r.Cause == "" {
		t.Errorf("the log has %s", r.Text)
	}

	own, sisters := a.client("localhost"), a.client("localhost")
	c, _ := secureLogin(t, s.addr, own, u.name, u.password)
	sister, _ := secureLogin(t, s.addr, sisters, u.name, u.password)
	c.tls = sisters
	if r, _ := c.store("STOR f", "hello"); r.code != 522 && r.code != 150 {
		t.Errorf("with a sister's session: %v", r)
	} else if r.code == 150 { // the write failed already
		if r, err := c.reply(); r.code != 522 {
			t.Errorf("with a sister's session: %v, %v", r, err)
		}
	}
	if _, r, _ := c.retrieve("NLST"); r.code != 522 {
		t.Errorf("with a sister's session: %v", r)
	}
	if _, err := os.Stat(filepath.Join(u.home, "f")); err == nil {
		t.Error("a file was made")
	}
	c.tls = own
	for _, c := range []*client{c, sister} {
		if _, r, err := c.retrieve("NLST"); r.code != 226 || err != nil {
			t.Errorf("with one's own: %v, %v", r, err)
		}
	}
}

// TestSessionReusePreferred checks that all clients are served where resumption is preferred, and
// that the log has few lines about those that do not resume.
func TestSessionReusePreferred(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	s, u, a := serveReuse(t, "prefer")
	file, content := contentFile(t, a.dir, 1<<19)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := a.client("localhost")
		cfg.MaxVersion, cfg.ClientSessionCache = version, &once{}
		c, _ := secureLogin(t, s.addr, cfg, u.name, u.password)
		c.expect(t, 200, "CLNT once")
		if err := moveMixed(c, mixed, string(content)); err != nil {
			t.Errorf("TLS %x: %v", version, err)
		}
	}
	_, port, _ := net.SplitHostPort(s.addr)
	out := command(t, `
import ftplib, ssl, sys
port, user, password, ca, file, *verbs = sys.argv[1:]
f = ftplib.FTP_TLS(timeout=100, context=ssl.create_default_context(cafile=ca))
f.connect("localhost", int(port))
f.login(user, password)
f.prot_p()
f.voidcmd("CLNT ftplib")
for v in verbs:
    if v == "STOR":
        f.storbinary("STOR g", open(file, "rb"))
    elif v == "RETR":
        got = []
        f.retrbinary("RETR g", got.append)
        assert b"".join(got) == open(file, "rb").read()
    else:
        f.retrlines(v, lambda line: None)
f.quit()
print("done")
`, "python3", append([]string{"-", port, u.name, u.password, a.file("ca.pem"), file}, mixed...)...)
	if out != "done\n" {
		t.Errorf("ftplib prints %q", out)
	}
	found, _ := s.log.find(func(r record) bool {
		return r.Message == "not_resumed" &&
			r.Client == "ftplib"
	})
	if len(found) != 2 || found[0].Count != 1 || found[1].Count != 10 {
		t.Errorf("the log has %v", found)
	}
	if once, _ := s.log.find(func(r record) bool {
		return r.Message == "not_resumed" &&
			r.Client == "once"
	}); len(once) != 1 {
		t.Errorf("the log has %v", once)
	}
}

// TestUploadsThatCloseWithoutReading checks that uploads of clients that never read and close
// without a word arrive whole (TLS 1.3), where an unread ticket would break them.
func TestUploadsThatCloseWithoutReading(t *testing.T) {
	t.Parallel()
	s, u, a := serveReuse(t, "prefer")
	file, content := contentFile(t, a.dir, 3<<20)
	want := sha256.Sum256(content)
	_, port, _ := net.SplitHostPort(s.addr)
	for program, script := range map[string]string{"python3": `
import ftplib, ssl, sys
port, user, password, ca, file = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.minimum_version = ssl.TLSVersion.TLSv1_3
f = ftplib.FTP_TLS(timeout=100, context=context)
f.connect("localhost", int(port))
f.login(user, password)
f.prot_p()
f.voidcmd("TYPE I")
content = open(file, "rb").read()
for i in range(20):
    conn = f.transfercmd("STOR python3-%d" % i)
    conn.sendall(content)
    conn.close()  # no unwrap()
    print(f.voidresp())
`, "perl": `
use Net::FTP;
my ($port, $user, $password, $ca, $file) = @ARGV;
my $f = Net::FTP->new("localhost", Port => $port, Passive => 1, Timeout => 60, SSL_ca_file => $ca, SSL_version => "TLSv1_3") or die $@;
$f->starttls or die $f->message;
$f->prot("P") or die $f->message;
$f->login($user, $password) or die $f->message;
$f->binary;
for my $i (0 .. 19) {
	$f->put($file, "perl-$i") or die $f->message;
	print $f->code, "\n";
}
`} {
		t.Run(program, func(t *testing.T) {
			need(t, program)
			if program == "perl" && command(t, "eval { require IO::Socket::SSL } or print 'no'",
				"perl", "-") == "no" {
				t.Skip("needs IO::Socket::SSL; run: sudo apt-get install libio-socket-ssl-perl && make system")
			}
			out := command(t, script, program, "-", port, u.name, u.password, a.file("ca.pem"),
				file)
			if n := strings.Count("\n"+out, "\n226"); n != 20 {
				t.Errorf("%d of 20 uploads were answered 226: %q", n, out)
			}
			for i := range 20 {
				name := fmt.Sprintf("%s-%d", program, i)
				if got := sha256.Sum256([]byte(readFile(t,
					filepath.Join(u.home, name)))); got != want {
					t.Errorf("%s is another file", name)
				}
			}
		})
	}
}
