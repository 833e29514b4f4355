//go:build linux

package tests

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var dataKeys = []keyRow{
	{key: "data.passive", probe: does("PASV", "EPSV", "EPRT |1|127.0.0.1|2000|"), before: "227 229 200", set: `false`, after: "502 502 200", wrong: `"no"`},
	{key: "data.active", probe: does("EPSV", "PORT 127,0,0,1,9,9", "EPRT |1|127.0.0.1|2000|"), before: "229 200 200", set: `false`, after: "229 502 502", wrong: `0`},
	{key: "data.passive_ports", probe: (*keyRun).passivePorts, before: "any", set: `"{port}-{port+9}"`, after: "of the ten, 9 more", edge: `"{port}"`, atEdge: "of the ten, 0 more", wrong: `"2-1"`},
	{key: "data.active_port", probe: (*keyRun).comesFrom, before: "any", set: `{port}`, after: "{port}", edge: `20`, atEdge: "20", wrong: `-1`},
	{key: "data.foreign_networks", probe: (*keyRun).sendsElsewhere, before: "501", set: `["127.2.0.0/16"]`, after: "226 text", edge: `["127.2.0.1"]`, atEdge: "226 text", wrong: `["any"]`},
	{key: "data.allow_privileged_ports", probe: does("PORT 127,0,0,1,3,255", "EPRT |1|127.0.0.1|21|"), before: "501 501", set: `true`, after: "200 200", wrong: `1`},
	{key: "data.sendfile", probe: (*keyRun).pipes, own: true, before: "the kernel moves bytes", set: `false`, after: "the core moves bytes", wrong: `"off"`},
	{key: "nat.public_address", probe: (*keyRun).told, before: "127.0.0.1", set: `"192.0.2.7"`, after: "192.0.2.7", edge: `""`, atEdge: "127.0.0.1", wrong: `"::1"`},
	{key: "nat.public_addresses", probe: (*keyRun).told, before: "127.0.0.1", set: `{ "127.0.0.1" = "192.0.2.8" }`, after: "192.0.2.8", edge: `{}`, atEdge: "127.0.0.1", wrong: `{ "home" = "192.0.2.8" }`},
	{key: "nat.local_networks", beside: "nat.public_address = \"192.0.2.7\"\n", probe: (*keyRun).told, before: "192.0.2.7", set: `["127.0.0.0/8"]`, after: "127.0.0.1",
		edge: `["10.0.0.0/8"]`, atEdge: "192.0.2.7", wrong: `["home"]`},
}

var tlsKeys = []keyRow{
	{key: "tls.certificate", probe: handshake, before: "502", set: `"{tls}/localhost.both"`, after: "localhost", edge: `""`, atEdge: "502", wrong: `"cert.pem"`},
	{key: "tls.key", beside: "tls.certificate = \"{tls}/localhost.pem\"\n", probe: handshake, before: notStarted, set: `"{tls}/localhost.key"`, after: "localhost", wrong: `"key.pem"`},
	{key: "tls.min_version", beside: withTLS, probe: handshake, before: "localhost", set: `"1.3"`, after: "not with TLS 1.2", edge: `"1.2"`, atEdge: "localhost", wrong: `"1.1"`},
	{key: "tls.client_ca", beside: withTLS + "tls.client_auth = \"required\"\n", probe: (*keyRun).shows, before: notStarted,
		set: `"{tls}/ca.pem"`, after: "nothing: refused, ours: taken, others': refused", edge: `"{others}/ca.pem"`, atEdge: "nothing: refused, ours: refused, others': taken", wrong: `"ca.pem"`},
	{key: "tls.client_auth", beside: withTLS + "tls.client_ca = \"{tls}/ca.pem\"\n", probe: (*keyRun).shows, before: "nothing: taken, ours: taken, others': taken",
		set: `"required"`, after: "nothing: refused, ours: taken, others': refused", edge: `"optional"`, atEdge: "nothing: taken, ours: taken, others': refused", wrong: `"on"`},
	{key: "tls.session_reuse", beside: withTLS, probe: (*keyRun).resumes, before: "anew: 226, again: resumed", set: `"require"`, after: "anew: 522, again: resumed",
		edge: `"off"`, atEdge: "anew: 226, again: anew", wrong: `true`},
	{key: "tls.session_reuse_exempt", beside: withTLS + "tls.session_reuse = \"require\"\n", probe: (*keyRun).resumes, before: "anew: 522, again: resumed",
		set: `["127.0.0.0/8"]`, after: "anew: 226, again: resumed", edge: `[]`, atEdge: "anew: 522, again: resumed", wrong: `["local"]`},
}

var fileKeys = []keyRow{
	{key: "files.utc_times", probe: (*keyRun).shownTime, env: "TZ=Asia/Tokyo", before: "UTC", set: `false`, after: "local time", wrong: `"yes"`},
	{key: "files.hide", probe: does("RETR {path}/f", "STOR {path}/f2", "NLST {path}/f"), before: "226 text 226 226 f", set: `["f*"]`, after: "550 550 550",
		edge: `[]`, atEdge: "226 text 226 226 f", wrong: `["a/b"]`},
}

var logKeys = []keyRow{
	{key: "log.level", probe: logForm, own: true, silent: true, before: "JSON: connect", set: `"debug"`, after: "JSON: connect line", edge: `"error"`, atEdge: "nothing", wrong: `"all"`},
	{key: "log.format", probe: logForm, own: true, silent: true, before: "JSON: connect", set: `"console"`, after: "text: connect", edge: `"json"`, atEdge: "JSON: connect", wrong: `"xml"`},
	{key: "log.file", probe: (*keyRun).logFile, own: true, silent: true, before: "JSON: connect, no file", set: `"{dir}/log"`, after: "nothing, a file", edge: `""`, atEdge: "JSON: connect, no file", wrong: `"ftpd.log"`},
	{key: "log.transfer_log", probe: (*keyRun).transferLog, own: true, before: "no file", set: `"{dir}/log"`, after: "a file", edge: `""`, atEdge: "no file", wrong: `"xferlog"`},
	{key: "admin.socket", probe: (*keyRun).socket, apart: "--mount", before: "/run/ftpd/admin.sock", set: `"{dir}/admin.sock"`, after: "{dir}/admin.sock", wrong: `""`},
}

// passivePorts says whether a passive port is in the range of the key, and how many more connections get one at the same time.
func (r *keyRun) passivePorts() string {
	port := func(answer reply) int {
		var port int
		_, after, _ := strings.Cut(answer.text, "(|||")
		fmt.Sscanf(after, "%d", &port)
		return port
	}
	c, _ := r.login()
	if p := port(c.ask("EPSV")); p < r.port || p > r.port+9 {
		return "any"
	}
	more := 0
	for range 10 {
		c, _ := r.login()
		if p := port(c.ask("EPSV")); p >= r.port && p <= r.port+9 {
			more++
		}
	}
	return fmt.Sprintf("of the ten, %d more", more)
}

// comesFrom is the port from which a data connection comes that the server makes.
func (r *keyRun) comesFrom() string {
	c, _ := r.login()
	l := c.listenFor(r.t, "127.0.0.1")
	c.ask("RETR " + r.path + "/f")
	conn, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	switch port := conn.RemoteAddr().(*net.TCPAddr).Port; port {
	case 20:
		return "20"
	case r.port:
		return "{port}"
	}
	return "any"
}

// sendsElsewhere is how a download to another address than the client's ends.
func (r *keyRun) sendsElsewhere() string {
	l, err := net.Listen("tcp", "127.2.0.1:0")
	if err != nil {
		return err.Error()
	}
	defer l.Close()
	c, _ := r.login()
	port := l.Addr().(*net.TCPAddr).Port
	if answer := c.ask(fmt.Sprintf("PORT 127,2,0,1,%d,%d", port>>8, port&255)); answer.code != 200 {
		return codes(answer)
	}
	c.ask("RETR " + r.path + "/f")
	conn, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	data, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	answer, err := c.reply()
	return moved(string(data), answer, err)
}

// pipes says whether an upload goes through a pipe, as splice(2) needs it.
func (r *keyRun) pipes() string {
	core := r.s.core(r.t)
	before := pipesOf(core)
	c, _ := r.login()
	c.store("STOR "+r.path+"/up", strings.Repeat("text", 1<<18))
	if pipesOf(core) > before {
		return "the kernel moves bytes"
	}
	return "the core moves bytes"
}

func pipesOf(pid int) (n int) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if target, _ := os.Readlink(link); strings.HasPrefix(target, "pipe:") {
			n++
		}
	}
	return n
}

// told is the address in the reply to PASV.
func (r *keyRun) told() string {
	c, _ := r.login()
	_, after, _ := strings.Cut(c.ask("PASV").text, "(")
	parts := strings.Split(after, ",")
	return strings.Join(parts[:min(4, len(parts))], ".")
}

// handshake is whose certificate a client of TLS 1.2 is shown.
func handshake(r *keyRun) string {
	c, _ := r.dial()
	if answer := c.ask("AUTH TLS"); answer.code != 234 {
		return codes(answer)
	}
	cfg := r.w.ours.client("localhost")
	cfg.MaxVersion = tls.VersionTLS12
	conn := tls.Client(c.conn, cfg)
	if err := conn.Handshake(); err != nil {
		return "not with TLS 1.2"
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// shows is how clients fare that show no certificate, and those of two authorities.
func (r *keyRun) shows() string {
	var all []string
	for _, show := range []struct {
		what string
		of   *authority
	}{{"nothing", nil}, {"ours", r.w.ours}, {"others'", r.w.others}} {
		cfg := r.w.ours.client("localhost")
		if show.of != nil {
			certificate, err := tls.LoadX509KeyPair(show.of.file("alice.pem"), show.of.file("alice.key"))
			if err != nil {
				return err.Error()
			}
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
		}
		c, _ := r.dial()
		fares := "taken"
		if _, err := c.startTLS(cfg); err != nil {
			fares = "refused"
		}
		all = append(all, show.what+": "+fares)
	}
	return strings.Join(all, ", ")
}

// resumes is how a data connection fares without the TLS session of its control connection, and whether one with it resumes it.
func (r *keyRun) resumes() string {
	c, _ := r.dial()
	cfg := r.w.ours.client("localhost")
	if _, err := c.startTLS(cfg); err != nil {
		return err.Error()
	}
	c.logIn(r.user.name, r.user.password)
	c.tls = r.w.ours.client("localhost") // with an empty cache
	_, anew, _ := c.retrieve("RETR " + r.path + "/f")
	again := "anew"
	c.tls = cfg.Clone()
	c.tls.VerifyConnection = func(state tls.ConnectionState) error {
		if state.DidResume {
			again = "resumed"
		}
		return nil
	}
	if _, answer, _ := c.retrieve("RETR " + r.path + "/f"); answer.code != 226 {
		again = codes(answer)
	}
	return "anew: " + codes(anew) + ", again: " + again
}

// shownTime says in which zone LIST shows a time.
func (r *keyRun) shownTime() string {
	at := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(r.dir, "f"), at, at); err != nil {
		return err.Error()
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		return err.Error()
	}
	c, _ := r.login()
	list, _, _ := c.retrieve("LIST " + r.path + "/f")
	if mdtm := c.ask("MDTM " + r.path + "/f").text; !strings.HasPrefix(mdtm, at.UTC().Format("20060102150405")) {
		return "MDTM " + mdtm
	}
	switch {
	case strings.Contains(list, at.UTC().Format(" 15:04 ")):
		return "UTC"
	case strings.Contains(list, at.In(tokyo).Format(" 15:04 ")):
		return "local time"
	}
	return list
}

// logForm is in what form the log tells what happens to a session, and which of its records are there.
func logForm(r *keyRun) string {
	r.login()
	r.stop()
	form, found := "nothing", ""
	for _, word := range []string{"connect", "line"} {
		if records, _ := r.s.log.find(message(word)); len(records) > 0 {
			form, found = "JSON:", found+" "+word
		} else if records, _ := r.s.log.find(func(r record) bool { return r.Level == "" && strings.Contains(r.Text, " "+word+" ") }); len(records) > 0 {
			form, found = "text:", found+" "+word
		}
	}
	return form + found
}

func (r *keyRun) logFile() string {
	return logForm(r) + ", " + r.aFile()
}

func (r *keyRun) transferLog() string {
	c, _ := r.login()
	c.retrieve("RETR " + r.path + "/f")
	r.stop()
	return r.aFile()
}

// aFile says whether a log names the session's user.
func (r *keyRun) aFile() string {
	if text, err := os.ReadFile(filepath.Join(r.dir, "log")); err == nil && strings.Contains(string(text), r.user.name) {
		return "a file"
	}
	return "no file"
}

// socket is where the admin socket is.
func (r *keyRun) socket() string {
	for _, path := range []string{"/run/ftpd/admin.sock", "{dir}/admin.sock"} {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/root%s", r.s.cmd.Process.Pid, r.words(path))); err == nil {
			return path
		}
	}
	return "nowhere"
}
