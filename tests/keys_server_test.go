//go:build linux

package tests

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
)

// carla is a virtual user for rows of several tables.
const carla = "[[user]]\nname = \"carla\"\npassword = \"{hash}\"\nhome = \"{dir}\"\n" +
	"run_as = \"{plain}\"\n"

// withTLS configures a certificate, and permits sessions without TLS.
const withTLS = "tls.certificate = \"{tls}/localhost.pem\"\ntls.key = \"{tls}/localhost.key\"\n" +
	"defaults.require_tls = \"off\"\n"

var serverKeys = []keyRow{
	{
		key: "include", probe: greets, ownService: true, wantBase: "220 of ftpd.d",
		value: `["o*.toml"]`, wantValue: "220 of the other",
		edgeValue: `[]`, wantEdge: "220 FTP server ready.", wrongValue: `"o*.toml"`,
	},
	{
		key: "server.listen", probe: (*keyRun).ports, unshareOptions: "--mount --net",
		wantBase: "127.0.0.1:21 [::1]:21",
		value:    `["127.0.0.1:{port}"]`, wantValue: "127.0.0.1:{port}",
		edgeValue: `["[::]:21", ":{port}"]`, wantEdge: "127.0.0.1:21 [::1]:21 127.0.0.1:{port}",
		wrongValue: `["21"]`,
	},
	{
		key: "server.listen_tls", probe: (*keyRun).implicit, otherSettings: withTLS,
		wantBase: "no connection", value: `["127.0.0.1:{port}"]`, wantValue: "220",
		edgeValue: `[]`, wantEdge: "no connection", wrongValue: `["990"]`,
	},
	{
		key: "server.banner", probe: greets, wantBase: "220 FTP server ready.",
		value: `"Hello.\nMind the rules."`, wantValue: "220 Hello.\n220 Mind the rules.",
		edgeValue: `""`, wantEdge: "220 ", wrongValue: `220`,
	},
	{
		key: "server.proxy_protocol_from", probe: (*keyRun).proxied,
		wantBase: "220, the balancer's", value: `["127.0.0.0/8"]`, wantValue: "220, the client's",
		edgeValue: `[]`, wantEdge: "220, the balancer's", wrongValue: `["balancer"]`,
		ownService: true, // the log of a service with many connections does not have each of them
	},
	{
		key: "server.roots", probe: logsIn, wantBase: "230", value: `["{dir}"]`, wantValue: "530",
		edgeValue: `["/"]`, wantEdge: "230", wrongValue: `[""]`,
	},
	{
		key: "server.sandbox", probe: (*keyRun).confined, ownService: true, wantBase: "landlock",
		value: `"off"`, wantValue: "nothing", wrongValue: `"on"`,
	},
	{
		key: "server.drain_timeout", probe: (*keyRun).uploadsAtStop,
		ownService: true, endsByItself: "value", wantBase: "226",
		value: `"200ms"`, wantValue: "421", edgeValue: `"0s"`, wantEdge: "226", wrongValue: `"1"`,
	},
}

var authKeys = []keyRow{
	{
		key: "auth.backend", probe: logsInAs("{plain}", "carla:secret"), ownService: true,
		otherSettings: carla, wantBase: "230 230", value: `"virtual"`, wantValue: "530 230",
		wrongValue: `"pam"`,
	},
	{
		key: "auth.pam_service", probe: logsInAs("{plain}", "ftpdtest-ghost:sesame"),
		unshareOptions: "--mount",
		otherSettings:  "auth.guest = \"{system}\"\ndefaults.home = \"{dir}\"\n",
		wantBase:       "230 530", value: `"{ghost}"`, wantValue: "530 230", wrongValue: `"a/b"`,
	},
	{
		key: "auth.pam_session", probe: (*keyRun).helpersOfLogins, ownService: true,
		wantBase: "ended", value: `true`, wantValue: "kept", wrongValue: `"yes"`,
	},
	{
		key: "auth.guest", probe: logsInAs("ftpdtest-ghost:sesame"), ownService: true,
		otherSettings: "auth.pam_service = \"{ghost}\"\ndefaults.home = \"{dir}\"\n",
		wantBase:      "530", value: `"{system}"`, wantValue: "230", edgeValue: `""`,
		wantEdge:   "530",
		wrongValue: `"root"`,
	},
	{
		key: "auth.allow", probe: logsInAs("{plain}", "{named}", "{member}"),
		wantBase: "230 230 230", value: `["{plain}"]`, wantValue: "230 530 530",
		edgeValue: `["@{group}"]`, wantEdge: "530 530 230", wrongValue: `["a/b"]`,
	},
	{
		key: "auth.deny", probe: logsInAs("{plain}", "{named}", "{member}"),
		wantBase: "230 230 230", value: `["{plain}", "@{group}"]`, wantValue: "530 230 530",
		edgeValue: `[]`, wantEdge: "230 230 230", wrongValue: `[""]`,
	},
	{
		key: "auth.min_uid", probe: logsInAs("{plain}", "{system}"), wantBase: "230 530",
		value: `4294967294`, wantValue: "530 530", edgeValue: `1`, wantEdge: "230 230",
		wrongValue: `0`,
	},
	{
		key: "auth.require_shell", probe: logsInAs("{noshell}"), wantBase: "530",
		value: `false`, wantValue: "230", wrongValue: `"no"`,
	},
	{
		key: "auth.max_attempts", probe: (*keyRun).attempts, wantBase: "3",
		value: `2`, wantValue: "2", edgeValue: `1`, wantEdge: "1", wrongValue: `0`,
	},
	{
		key: "auth.failure_delay", probe: (*keyRun).refusedLogin, endsByItself: "base",
		otherSettings: "limits.login_timeout = \"0s\"\n", wantBase: "530",
		value: `"24h"`, wantValue: "waits", edgeValue: `"0s"`, wantEdge: "530", wrongValue: `2`,
	},
}

var anonymousKeys = []keyRow{
	{
		key: "anonymous.enabled", probe: logsInAs("anonymous:x"),
		otherSettings: "anonymous.directory = \"{dir}\"\n", wantBase: "530",
		value: `true`, wantValue: "230", wrongValue: `"yes"`,
	},
	{
		key: "anonymous.directory", probe: anonymously("RETR f"),
		otherSettings: "anonymous.enabled = true\n", wantBase: "not there",
		value: `"{dir}"`, wantValue: "226 text", wrongValue: `"srv"`,
	},
	{
		key: "anonymous.run_as", probe: anonymously("STOR new"),
		otherSettings: "anonymous.enabled = true\nanonymous.directory = \"{dir}\"\n" +
			"anonymous.permissions = \"full\"\n", wantBase: "550",
		value: `"{plain}"`, wantValue: "226", wrongValue: `"root"`,
	},
	{
		key: "anonymous.permissions", probe: anonymously("STOR new"),
		otherSettings: "anonymous.enabled = true\nanonymous.directory = \"{dir}\"\n" +
			"anonymous.run_as = \"{plain}\"\n", wantBase: "550",
		value: `"full"`, wantValue: "226", edgeValue: `[]`, wantEdge: "550",
		wrongValue: `["fly"]`,
	},
}

var hostKeys = []keyRow{
	{
		key: "host.name", probe: hosts, otherSettings: withTLS, wantBase: "504 for localhost",
		value: "[[host]]\nname = \"ftp.example.net\"\n", wantValue: "220 for localhost",
		wrongValue: `"-"`,
	},
	{
		key: "host.banner", probe: hosts, otherSettings: withTLS,
		baseValue: "[[host]]\nname = \"ftp.example.net\"\n", wantBase: "220 for localhost",
		value:     "[[host]]\nname = \"ftp.example.net\"\nbanner = \"of net\"\n",
		wantValue: "220 of net for localhost",
		edgeValue: "[[host]]\nname = \"ftp.example.net\"\nbanner = \"\"\n",
		wantEdge:  "220 for localhost", wrongValue: `"\u0007"`,
	},
	{
		key: "host.certificate", probe: hosts, otherSettings: withTLS,
		baseValue: "[[host]]\nname = \"ftp.example.net\"\n", wantBase: "220 for localhost",
		value: "[[host]]\nname = \"ftp.example.net\"\n" +
			"certificate = \"{tls}/ftp.example.net.both\"\n",
		wantValue: "220 for ftp.example.net",
		edgeValue: "[[host]]\nname = \"ftp.example.net\"\ncertificate = \"\"\n",
		wantEdge:  "220 for localhost", wrongValue: `"net.pem"`,
	},
	{
		key: "host.key", probe: hosts, otherSettings: withTLS,
		baseValue: "[[host]]\nname = \"ftp.example.net\"\n" +
			"certificate = \"{tls}/ftp.example.net.pem\"\n", wantBase: notStarted,
		value: "[[host]]\nname = \"ftp.example.net\"\n" +
			"certificate = \"{tls}/ftp.example.net.pem\"\n" +
			"key = \"{tls}/ftp.example.net.key\"\n", wantValue: "220 for ftp.example.net",
		edgeValue: "[[host]]\nname = \"ftp.example.net\"\n" +
			"certificate = \"{tls}/ftp.example.net.both\"\nkey = \"\"\n",
		wantEdge: "220 for ftp.example.net", wrongValue: `5`,
	},
}

// greets returns the greeting.
func greets(r *keyRun) string {
	_, greeting := r.dial()
	return greeting.String()
}

// logsIn returns the reply to a login of the user.
func logsIn(r *keyRun) string {
	_, answer := r.login()
	return codes(answer)
}

// logsInAs returns the reply to a login of each user: a system user of the run, or "user:password".
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

// helpersOfLogins reports whether each login has a helper: "kept" or "ended". Without pam_session,
// as many helpers run as there are processors, beside those that are ready for logins.
func (r *keyRun) helpersOfLogins() string {
	logins, helpers := 2*runtime.NumCPU()+8, 0
	for range logins {
		r.loginAs(r.user.name, r.user.password)
	}
	for _, p := range descendants(r.s.cmd.Process.Pid) {
		if args := commandLine(p); len(args) == 2 && args[1] == "login" {
			helpers++
		}
	}
	if helpers < logins {
		return "ended"
	}
	return "kept"
}

// ports returns the addresses at which a connection is accepted.
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

// implicit returns the greeting that a client gets that begins with TLS.
func (r *keyRun) implicit() string {
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.port), r.w.ours.client("localhost"))
	if err != nil {
		return "no connection"
	}
	defer conn.Close()
	greeting, _ := (&client{conn: conn, in: bufio.NewReader(conn)}).reply()
	return codes(greeting)
}

// proxied reports which address the log has for a client that connects through a balancer.
func (r *keyRun) proxied() string {
	conn, err := net.DialTimeout("tcp", r.s.addr, patience)
	if err != nil {
		return err.Error()
	}
	client := fmt.Sprintf("192.0.2.9:%d", r.port)
	io.WriteString(conn, header1(client, r.s.addr))
	_, greeting := r.connected(conn, nil)
	connect := r.s.log.wait(r.t, "the client", func(record record) bool {
		return record.Message == "connect" &&
			(record.Remote == client || record.Remote == conn.LocalAddr().String())
	})
	if connect.Remote == client {
		return codes(greeting) + ", the client's"
	}
	return codes(greeting) + ", the balancer's"
}

// confined returns the sandbox of the core, as the log states it.
func (r *keyRun) confined() string {
	start, _ := r.s.log.find(message("start"))
	if strings.Contains(start[0].Text, `"sandbox":"landlock`) {
		return "landlock"
	}
	return "nothing"
}

// uploadsAtStop returns the reply to an upload that is under way when the service is stopped.
func (r *keyRun) uploadsAtStop() string {
	c, _ := r.login()
	data, err := c.passive()
	if err != nil {
		return err.Error()
	}
	defer data.Close()
	c.send("STOR up")
	io.WriteString(data, "some")
	r.s.killed = true // it gets a second signal to stop
	r.s.cmd.Process.Signal(os.Interrupt)
	return codes(r.outlasts(c, func() {
		io.WriteString(data, "thing")
		data.Close()
	}))
}

// attempts returns how many failed logins a connection has.
func (r *keyRun) attempts() string {
	c, _ := r.dial()
	for n := 0; ; n++ {
		if answer := c.logIn(r.user.name, "guessed"); answer.code != 530 {
			return fmt.Sprint(n)
		}
	}
}

// refusedLogin returns the reply to a wrong password, or "waits" where there is none.
func (r *keyRun) refusedLogin() string {
	c, _ := r.dial()
	c.send("USER " + r.user.name)
	io.WriteString(c.conn, "PASS guessed\r\n")
	answer := r.outlasts(c, func() { c.conn.Close() })
	if answer.code == 0 {
		return "waits"
	}
	return codes(answer)
}

// anonymously returns the reply to a transfer of an anonymous user.
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
		return "not there" // without a login there is no file either
	}
}

// hosts returns the reply to HOST, and the name in the certificate for a TLS handshake with the same name.
func hosts(r *keyRun) string {
	c, _ := r.dial()
	answer := c.send("HOST ftp.example.net")
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
