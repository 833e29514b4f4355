//go:build linux

package tests

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// A virtual user whom the rows of several tables need.
const carla = "[[user]]\nname = \"carla\"\npassword = \"{hash}\"\nhome = \"{dir}\"\nrun_as = \"{plain}\"\n"

// withTLS is a certificate, which nobody has to use.
const withTLS = "tls.certificate = \"{tls}/localhost.pem\"\ntls.key = \"{tls}/localhost.key\"\ndefaults.require_tls = \"off\"\n"

var serverKeys = []keyRow{
	{key: "include", probe: greets, before: "220 of ftpd.d", set: `["o*.toml"]`, after: "220 of the other",
		edge: `[]`, atEdge: "220 FTP server ready.", own: true, wrong: `"o*.toml"`},
	{key: "server.listen", probe: (*keyRun).ports, before: "127.0.0.1:21 [::1]:21", set: `["127.0.0.1:{port}"]`, after: "127.0.0.1:{port}",
		edge: `["[::]:21", ":{port}"]`, atEdge: "127.0.0.1:21 [::1]:21 127.0.0.1:{port}", apart: "--mount --net", wrong: `["21"]`},
	{key: "server.listen_tls", beside: withTLS, probe: (*keyRun).implicit, before: "no connection", set: `["127.0.0.1:{port}"]`, after: "220",
		edge: `[]`, atEdge: "no connection", wrong: `["990"]`},
	{key: "server.banner", probe: greets, before: "220 FTP server ready.", set: `"Hello.\nMind the rules."`, after: "220 Hello.\n220 Mind the rules.",
		edge: `""`, atEdge: "220 ", wrong: `220`},
	{key: "server.proxy_protocol_from", probe: (*keyRun).introduces, before: "220, the balancer's", set: `["127.0.0.0/8"]`, after: "220, the client's",
		edge: `[]`, atEdge: "220, the balancer's", wrong: `["balancer"]`},
	{key: "server.roots", probe: logsIn, before: "230", set: `["{dir}"]`, after: "530", edge: `["/"]`, atEdge: "230", wrong: `[""]`},
	{key: "server.sandbox", probe: (*keyRun).confined, before: "landlock", set: `"off"`, after: "nothing", own: true, wrong: `"on"`},
	{key: "server.drain_timeout", probe: (*keyRun).uploadsAtStop, ends: "after", own: true, before: "226", set: `"200ms"`, after: "421",
		edge: `"0s"`, atEdge: "226", wrong: `"1"`},
}

var authKeys = []keyRow{
	{key: "auth.backend", beside: carla, probe: logsInAs("{plain}", "carla:secret"), own: true, before: "230 230", set: `"virtual"`, after: "530 230", wrong: `"pam"`},
	{key: "auth.pam_service", probe: logsInAs("{plain}", "ftpdtest-ghost:sesame"), apart: "--mount", beside: "auth.guest = \"{system}\"\ndefaults.home = \"{dir}\"\n",
		before: "230 530", set: `"{ghost}"`, after: "530 230", wrong: `"a/b"`},
	{key: "auth.guest", beside: "auth.pam_service = \"{ghost}\"\ndefaults.home = \"{dir}\"\n", probe: logsInAs("ftpdtest-ghost:sesame"), own: true,
		before: "530", set: `"{system}"`, after: "230", edge: `""`, atEdge: "530", wrong: `"root"`},
	{key: "auth.allow", probe: logsInAs("{plain}", "{named}", "{member}"), before: "230 230 230", set: `["{plain}"]`, after: "230 530 530",
		edge: `["@{group}"]`, atEdge: "530 530 230", wrong: `["a/b"]`},
	{key: "auth.deny", probe: logsInAs("{plain}", "{named}", "{member}"), before: "230 230 230", set: `["{plain}", "@{group}"]`, after: "530 230 530",
		edge: `[]`, atEdge: "230 230 230", wrong: `[""]`},
	{key: "auth.min_uid", probe: logsInAs("{plain}", "{system}"), before: "230 530", set: `4294967294`, after: "530 530", edge: `1`, atEdge: "230 230", wrong: `0`},
	{key: "auth.require_shell", probe: logsInAs("{noshell}"), before: "530", set: `false`, after: "230", wrong: `"no"`},
	{key: "auth.max_attempts", probe: (*keyRun).attempts, before: "3", set: `2`, after: "2", edge: `1`, atEdge: "1", wrong: `0`},
	{key: "auth.failure_delay", beside: "limits.login_timeout = \"0s\"\n", probe: (*keyRun).refusedLogin, ends: "before", before: "530", set: `"24h"`, after: "waits",
		edge: `"0s"`, atEdge: "530", wrong: `2`},
}

var anonymousKeys = []keyRow{
	{key: "anonymous.enabled", beside: "anonymous.directory = \"{dir}\"\n", probe: logsInAs("anonymous:x"), before: "530", set: `true`, after: "230", wrong: `"yes"`},
	{key: "anonymous.directory", beside: "anonymous.enabled = true\n", probe: anonymously("RETR f"), before: "not there", set: `"{dir}"`, after: "226 text", wrong: `"srv"`},
	{key: "anonymous.run_as", beside: "anonymous.enabled = true\nanonymous.directory = \"{dir}\"\nanonymous.permissions = \"full\"\n", probe: anonymously("STOR new"),
		before: "550", set: `"{plain}"`, after: "226", wrong: `"root"`},
	{key: "anonymous.permissions", beside: "anonymous.enabled = true\nanonymous.directory = \"{dir}\"\nanonymous.run_as = \"{plain}\"\n", probe: anonymously("STOR new"),
		before: "550", set: `"full"`, after: "226", edge: `[]`, atEdge: "550", wrong: `["fly"]`},
}

var hostKeys = []keyRow{
	{key: "host.name", beside: withTLS, probe: hosts, before: "504 for localhost", set: "[[host]]\nname = \"ftp.example.net\"\n", after: "220 for localhost", wrong: `"-"`},
	{key: "host.banner", beside: withTLS, probe: hosts, was: "[[host]]\nname = \"ftp.example.net\"\n", before: "220 for localhost",
		set: "[[host]]\nname = \"ftp.example.net\"\nbanner = \"of net\"\n", after: "220 of net for localhost",
		edge: "[[host]]\nname = \"ftp.example.net\"\nbanner = \"\"\n", atEdge: "220 for localhost", wrong: `"\u0007"`},
	{key: "host.certificate", beside: withTLS, probe: hosts, was: "[[host]]\nname = \"ftp.example.net\"\n", before: "220 for localhost",
		set: "[[host]]\nname = \"ftp.example.net\"\ncertificate = \"{tls}/ftp.example.net.both\"\n", after: "220 for ftp.example.net",
		edge: "[[host]]\nname = \"ftp.example.net\"\ncertificate = \"\"\n", atEdge: "220 for localhost", wrong: `"net.pem"`},
	{key: "host.key", beside: withTLS, probe: hosts, was: "[[host]]\nname = \"ftp.example.net\"\ncertificate = \"{tls}/ftp.example.net.pem\"\n", before: notStarted,
		set: "[[host]]\nname = \"ftp.example.net\"\ncertificate = \"{tls}/ftp.example.net.pem\"\nkey = \"{tls}/ftp.example.net.key\"\n", after: "220 for ftp.example.net",
		edge: "[[host]]\nname = \"ftp.example.net\"\ncertificate = \"{tls}/ftp.example.net.both\"\nkey = \"\"\n", atEdge: "220 for ftp.example.net", wrong: `5`},
}

func greets(r *keyRun) string {
	_, greeting := r.dial()
	return greeting.String()
}

func logsIn(r *keyRun) string {
	_, answer := r.login()
	return codes(answer)
}

// logsInAs is what each is answered, a system user of the run or "user:password".
func logsInAs(users ...string) func(*keyRun) string {
	return func(r *keyRun) string {
		var answers []reply
		for _, user := range users {
			name, password, _ := strings.Cut(r.words(user), ":")
			for _, u := range []account{r.w.plain, r.w.member, r.w.named, r.w.system, r.w.noShell} {
				if u.name == name && password == "" {
					password = u.password
				}
			}
			_, answer := r.loginAs(name, password)
			answers = append(answers, answer)
		}
		return codes(answers...)
	}
}

// ports are those that somebody answers at.
func (r *keyRun) ports() string {
	var open []string
	for _, at := range []string{"127.0.0.1:21", "[::1]:21", fmt.Sprintf("127.0.0.1:%d", r.port)} {
		inNetworkOf(r.s.cmd.Process.Pid, func() {
			if conn, err := net.DialTimeout("tcp", at, patience); err == nil {
				conn.Close()
				open = append(open, strings.Replace(at, fmt.Sprint(r.port), "{port}", 1))
			}
		})
	}
	return strings.Join(open, " ")
}

// implicit is what a client reads first that begins with TLS.
func (r *keyRun) implicit() string {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), r.w.ours.client("localhost"))
	if err != nil {
		return "no connection"
	}
	defer conn.Close()
	greeting, _ := (&client{conn: conn, in: bufio.NewReader(conn)}).reply()
	return codes(greeting)
}

// introduces says whose address the log has for a client whom a balancer introduces.
func (r *keyRun) introduces() string {
	conn, err := net.DialTimeout("tcp", r.s.addr, patience)
	if err != nil {
		return err.Error()
	}
	client := fmt.Sprintf("192.0.2.9:%d", r.port)
	io.WriteString(conn, header1(client, r.s.addr))
	_, greeting := r.connected(conn, nil)
	connect := r.s.log.wait(r.t, "the client", func(record record) bool {
		return record.Message == "connect" && (record.Remote == client || record.Remote == conn.LocalAddr().String())
	})
	if connect.Remote == client {
		return codes(greeting) + ", the client's"
	}
	return codes(greeting) + ", the balancer's"
}

// confined is what the kernel forbids the core by, as the start says.
func (r *keyRun) confined() string {
	if start, _ := r.s.log.find(message("start")); strings.Contains(start[0].Text, `"sandbox":"landlock`) {
		return "landlock"
	}
	return "nothing"
}

// uploadsAtStop is how an upload ends that goes on at a stop.
func (r *keyRun) uploadsAtStop() string {
	c, _ := r.login()
	data, err := c.passive()
	if err != nil {
		return err.Error()
	}
	defer data.Close()
	c.ask("STOR up")
	io.WriteString(data, "some")
	r.s.killed = true // it is told to stop twice
	r.s.cmd.Process.Signal(os.Interrupt)
	return codes(r.outlasts(c, func() {
		io.WriteString(data, "thing")
		data.Close()
	}))
}

// attempts is how many failed logins a connection has.
func (r *keyRun) attempts() string {
	c, _ := r.dial()
	for n := 0; ; n++ {
		if answer := c.logIn(r.user.name, "guessed"); answer.code != 530 {
			return fmt.Sprint(n)
		}
	}
}

func (r *keyRun) refusedLogin() string {
	c, _ := r.dial()
	c.ask("USER " + r.user.name)
	io.WriteString(c.conn, "PASS guessed\r\n")
	answer := r.outlasts(c, func() { c.conn.Close() })
	if answer.code == 0 {
		return "waits"
	}
	return codes(answer)
}

// anonymously is how a transfer of an anonymous user ends.
func anonymously(line string) func(*keyRun) string {
	return func(r *keyRun) string {
		c, answer := r.loginAs("anonymous", "x")
		if answer.code == 230 && strings.HasPrefix(line, "STOR") {
			answer, err := c.store(line, "text")
			return moved("", answer, err)
		}
		if data, answer, _ := c.retrieve(line); answer.code == 226 {
			return "226 " + data
		}
		return "not there" // where nobody can log in, nothing is
	}
}

// hosts is what HOST is answered, and whose certificate TLS shows that asks for the same name.
func hosts(r *keyRun) string {
	c, _ := r.dial()
	answer := c.ask("HOST ftp.example.net")
	text := codes(answer)
	if answer.text == "of net" {
		text += " of net"
	}
	c, _ = r.dial()
	cfg := r.w.ours.client("ftp.example.net")
	cfg.InsecureSkipVerify = true
	state, err := c.startTLS(cfg)
	if err != nil {
		return text + " " + err.Error()
	}
	return text + " for " + state.PeerCertificates[0].Subject.CommonName
}
