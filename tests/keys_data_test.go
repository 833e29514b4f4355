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
	{
		key: "data.passive", probe: does("PASV", "EPSV", "EPRT |1|127.0.0.1|2000|"),
		wantBase: "227 229 200", value: `false`, wantValue: "502 502 200", wrongValue: `"no"`,
	},
	{
		key: "data.active", probe: does("EPSV", "PORT 127,0,0,1,9,9", "EPRT |1|127.0.0.1|2000|"),
		wantBase: "229 200 200", value: `false`, wantValue: "229 502 502", wrongValue: `0`,
	},
	{
		key: "data.passive_ports", probe: (*keyRun).passivePorts, wantBase: "any",
		value: `"{port}-{port+9}"`, wantValue: "of the ten, 9 more",
		edgeValue: `"{port}"`, wantEdge: "of the ten, 0 more", wrongValue: `"2-1"`,
	},
	{
		key: "data.active_port", probe: (*keyRun).activePort, wantBase: "any",
		value: `{port}`, wantValue: "{port}", edgeValue: `20`, wantEdge: "20", wrongValue: `-1`,
	},
	{
		key: "data.foreign_networks", probe: (*keyRun).foreignDownload, wantBase: "501",
		value: `["127.2.0.0/16"]`, wantValue: "226 text",
		edgeValue: `["127.2.0.1"]`, wantEdge: "226 text", wrongValue: `["any"]`,
	},
	{
		key:   "data.allow_privileged_ports",
		probe: does("PORT 127,0,0,1,3,255", "EPRT |1|127.0.0.1|21|"), wantBase: "501 501",
		value: `true`, wantValue: "200 200", wrongValue: `1`,
	},
	{
		key: "data.sendfile", probe: (*keyRun).pipes, ownService: true,
		wantBase: "the kernel moves bytes", value: `false`, wantValue: "the core moves bytes",
		wrongValue: `"off"`,
	},
	{
		key: "nat.public_address", probe: (*keyRun).pasvAddress, wantBase: "127.0.0.1",
		value: `"192.0.2.7"`, wantValue: "192.0.2.7", edgeValue: `""`, wantEdge: "127.0.0.1",
		wrongValue: `"::1"`,
	},
	{
		key: "nat.public_addresses", probe: (*keyRun).pasvAddress, wantBase: "127.0.0.1",
		value: `{ "127.0.0.1" = "192.0.2.8" }`, wantValue: "192.0.2.8",
		edgeValue: `{}`, wantEdge: "127.0.0.1", wrongValue: `{ "home" = "192.0.2.8" }`,
	},
	{
		key: "nat.local_networks", probe: (*keyRun).pasvAddress,
		otherSettings: "nat.public_address = \"192.0.2.7\"\n", wantBase: "192.0.2.7",
		value: `["127.0.0.0/8"]`, wantValue: "127.0.0.1",
		edgeValue: `["10.0.0.0/8"]`, wantEdge: "192.0.2.7", wrongValue: `["home"]`,
	},
}

var tlsKeys = []keyRow{
	{
		key: "tls.certificate", probe: handshake, wantBase: "502",
		value: `"{tls}/localhost.both"`, wantValue: "localhost", edgeValue: `""`, wantEdge: "502",
		wrongValue: `"cert.pem"`,
	},
	{
		key: "tls.key", probe: handshake,
		otherSettings: "tls.certificate = \"{tls}/localhost.pem\"\n", wantBase: notStarted,
		value: `"{tls}/localhost.key"`, wantValue: "localhost", wrongValue: `"key.pem"`,
	},
	{
		key: "tls.min_version", probe: handshake, otherSettings: withTLS, wantBase: "localhost",
		value: `"1.3"`, wantValue: "not with TLS 1.2", edgeValue: `"1.2"`, wantEdge: "localhost",
		wrongValue: `"1.1"`,
	},
	{
		key: "tls.client_ca", probe: (*keyRun).clientCertificates,
		otherSettings: withTLS + "tls.client_auth = \"required\"\n", wantBase: notStarted,
		value: `"{tls}/ca.pem"`, wantValue: "nothing: refused, ours: taken, others': refused",
		edgeValue: `"{others}/ca.pem"`,
		wantEdge:  "nothing: refused, ours: refused, others': taken", wrongValue: `"ca.pem"`,
	},
	{
		key: "tls.client_auth", probe: (*keyRun).clientCertificates,
		otherSettings: withTLS + "tls.client_ca = \"{tls}/ca.pem\"\n",
		wantBase:      "nothing: taken, ours: taken, others': taken",
		value:         `"required"`, wantValue: "nothing: refused, ours: taken, others': refused",
		edgeValue: `"optional"`, wantEdge: "nothing: taken, ours: taken, others': refused",
		wrongValue: `"on"`,
	},
	{
		key: "tls.session_reuse", probe: (*keyRun).resumes, otherSettings: withTLS,
		wantBase: "anew: 226, again: resumed",
		value:    `"require"`, wantValue: "anew: 522, again: resumed",
		edgeValue: `"off"`, wantEdge: "anew: 226, again: anew", wrongValue: `true`,
	},
	{
		key: "tls.session_reuse_exempt", probe: (*keyRun).resumes,
		otherSettings: withTLS + "tls.session_reuse = \"require\"\n",
		wantBase:      "anew: 522, again: resumed",
		value:         `["127.0.0.0/8"]`, wantValue: "anew: 226, again: resumed",
		edgeValue: `[]`, wantEdge: "anew: 522, again: resumed", wrongValue: `["local"]`,
	},
}

var fileKeys = []keyRow{
	{
		key: "files.utc_times", probe: (*keyRun).shownTime, env: "TZ=Asia/Tokyo", wantBase: "UTC",
		value: `false`, wantValue: "local time", wrongValue: `"yes"`,
	},
	{
		key: "files.hide", probe: does("RETR {path}/f", "STOR {path}/f2", "NLST {path}/f"),
		wantBase: "226 text 226 226 f", value: `["f*"]`, wantValue: "550 550 550",
		edgeValue: `[]`, wantEdge: "226 text 226 226 f", wrongValue: `["a/b"]`,
	},
}

var logKeys = []keyRow{
	{
		key: "log.level", probe: logForm, ownService: true, unusualLog: true,
		wantBase: "JSON: connect", value: `"debug"`, wantValue: "JSON: connect line",
		edgeValue: `"error"`, wantEdge: "nothing", wrongValue: `"all"`,
	},
	{
		key: "log.format", probe: logForm, ownService: true, unusualLog: true,
		wantBase: "JSON: connect", value: `"console"`, wantValue: "text: connect",
		edgeValue: `"json"`, wantEdge: "JSON: connect", wrongValue: `"xml"`,
	},
	{
		key: "log.file", probe: (*keyRun).logFile, ownService: true, unusualLog: true,
		wantBase: "JSON: connect, no file", value: `"{new}/log"`, wantValue: "nothing, a file",
		edgeValue: `""`, wantEdge: "JSON: connect, no file", wrongValue: `"ftpd.log"`,
	},
	{
		key: "log.transfer_log", probe: (*keyRun).transferLog, ownService: true,
		wantBase: "no file", value: `"{new}/log"`, wantValue: "a file",
		edgeValue: `""`, wantEdge: "no file", wrongValue: `"xferlog"`,
	},
	{
		key: "admin.socket", probe: (*keyRun).socket, unshareOptions: "--mount",
		wantBase: "/run/ftpd/admin.sock",
		value:    `"{new}/admin.sock"`, wantValue: "{new}/admin.sock", wrongValue: `""`,
	},
}

// passivePorts reports whether a passive port is in the range of the key, and how many further connections
// get one at the same time.
func (r *keyRun) passivePorts() string {
	port := func(answer reply) int {
		var port int
		_, after, _ := strings.Cut(answer.text, "(|||")
		fmt.Sscanf(after, "%d", &port)
		return port
	}
	c, _ := r.login()
	if p := port(c.send("EPSV")); p < r.port || p > r.port+9 {
		return "any"
	}
	more := 0
	for range 10 {
		c, _ := r.login()
		if p := port(c.send("EPSV")); p >= r.port && p <= r.port+9 {
			more++
		}
	}
	return fmt.Sprintf("of the ten, %d more", more)
}

// activePort returns the local port of a data connection that the server makes.
func (r *keyRun) activePort() string {
	c, _ := r.login()
	l := c.listenFor(r.t, "127.0.0.1")
	c.send("RETR " + r.path + "/f")
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

// foreignDownload returns how a download to another address than the client's ends.
func (r *keyRun) foreignDownload() string {
	l, err := net.Listen("tcp", "127.2.0.1:0")
	if err != nil {
		return err.Error()
	}
	defer l.Close()
	c, _ := r.login()
	port := l.Addr().(*net.TCPAddr).Port
	answer := c.send(fmt.Sprintf("PORT 127,2,0,1,%d,%d", port>>8, port&255))
	if answer.code != 200 {
		return codes(answer)
	}
	c.send("RETR " + r.path + "/f")
	conn, err := l.Accept()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	data, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	answer, err = c.reply()
	return moved(string(data), answer, err)
}

// pipes reports whether an upload goes through a pipe, which splice(2) needs.
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

// pasvAddress returns the address in the reply to PASV.
func (r *keyRun) pasvAddress() string {
	c, _ := r.login()
	_, after, _ := strings.Cut(c.send("PASV").text, "(")
	parts := strings.Split(after, ",")
	return strings.Join(parts[:min(4, len(parts))], ".")
}

// handshake returns the name in the certificate that a client of TLS 1.2 receives.
func handshake(r *keyRun) string {
	c, _ := r.dial()
	if answer := c.send("AUTH TLS"); answer.code != 234 {
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

// clientCertificates returns whether a client without a certificate is accepted, and clients with those of
// two authorities.
func (r *keyRun) clientCertificates() string {
	var all []string
	for _, show := range []struct {
		what string
		of   *authority
	}{{"nothing", nil}, {"ours", r.w.ours}, {"others'", r.w.others}} {
		cfg := r.w.ours.client("localhost")
		if show.of != nil {
			pem, key := show.of.file("alice.pem"), show.of.file("alice.key")
			certificate, err := tls.LoadX509KeyPair(pem, key)
			if err != nil {
				return err.Error()
			}
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &certificate, nil
			}
		}
		c, _ := r.dial()
		outcome := "taken"
		if _, err := c.startTLS(cfg); err != nil {
			outcome = "refused"
		}
		all = append(all, show.what+": "+outcome)
	}
	return strings.Join(all, ", ")
}

// resumes returns the reply to a transfer with a data connection that does not resume the TLS
// session of its control connection, and whether a data connection that may resume it does so.
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

// shownTime returns the time zone in which LIST shows a time.
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
	mdtm := c.send("MDTM " + r.path + "/f").text
	if !strings.HasPrefix(mdtm, at.UTC().Format("20060102150405")) {
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

// logForm returns the format of the log and which records of a session it contains.
func logForm(r *keyRun) string {
	r.login()
	r.stop()
	form, found := "nothing", ""
	for _, word := range []string{"connect", "line"} {
		asText := func(r record) bool {
			return r.Level == "" &&
				strings.Contains(r.Text, " "+word+" ")
		}
		if records, _ := r.s.log.find(message(word)); len(records) > 0 {
			form, found = "JSON:", found+" "+word
		} else if records, _ := r.s.log.find(asText); len(records) > 0 {
			form, found = "text:", found+" "+word
		}
	}
	return form + found
}

// logFile returns the form of the standard log, and whether there is a log file.
func (r *keyRun) logFile() string {
	return logForm(r) + ", " + r.aFile()
}

// transferLog reports whether there is a transfer log after a download.
func (r *keyRun) transferLog() string {
	c, _ := r.login()
	c.retrieve("RETR " + r.path + "/f")
	r.stop()
	return r.aFile()
}

// aFile reports whether there is a log file that names the session's user.
func (r *keyRun) aFile() string {
	text, err := os.ReadFile(filepath.Join(r.w.trusted+r.path, "log"))
	if err == nil && strings.Contains(string(text), r.user.name) {
		return "a file"
	}
	return "no file"
}

// socket returns the path of the admin socket.
func (r *keyRun) socket() string {
	for _, path := range []string{"/run/ftpd/admin.sock", "{new}/admin.sock"} {
		seen := fmt.Sprintf("/proc/%d/root%s", r.s.cmd.Process.Pid, r.words(path))
		if _, err := os.Lstat(seen); err == nil {
			return path
		}
	}
	return "nowhere"
}
