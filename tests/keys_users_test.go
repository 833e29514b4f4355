//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// settingKeys are the keys of [defaults], which [[group]] and [[user]] have as well.
var settingKeys = []keyRow{
	{
		key: "defaults.home", probe: does("RETR where"), wantBase: "226 home",
		value: `"{dir}"`, wantValue: "226 elsewhere", edgeValue: `""`, wantEdge: "226 home",
		wrongValue: `"srv"`,
	},
	{
		key: "defaults.start_directory", probe: does("RETR where"), wantBase: "226 home",
		value: `"{path}"`, wantValue: "226 elsewhere",
		edgeValue: `"/no-such-directory"`, wantEdge: "226 home", wrongValue: `"srv"`,
	},
	{
		key: "defaults.confine", probe: (*keyRun).reaches,
		otherSettings: "server.roots = [\"/\"]\n", wantBase: "home at /, no further",
		value: `false`, wantValue: "home at its place, further", wrongValue: `"no"`,
	},
	{
		key:      "defaults.permissions",
		probe:    does("STOR {path}/new", "APPE {path}/f", "RETR {path}/f", "NLST {path}/sub"),
		wantBase: "226 226 226 texttext 226",
		value:    `["read", "append"]`, wantValue: "550 226 226 texttext 550",
		edgeValue: `[]`, wantEdge: "550 550 550 550", wrongValue: `["fly"]`,
	},
	{
		key: "defaults.umask", probe: (*keyRun).modes, wantBase: "0644 0755",
		value: `"027"`, wantValue: "0640 0750", edgeValue: `"000"`, wantEdge: "0666 0777",
		wrongValue: `"1000"`,
	},
	{
		key: "defaults.max_sessions", probe: twice, wantBase: "230 230",
		value: `1`, wantValue: "230 530", edgeValue: `2147483647`, wantEdge: "230 230",
		wrongValue: `-1`,
	},
	{
		key: "defaults.require_tls", probe: (*keyRun).withoutTLS,
		otherSettings: "tls.certificate = \"{tls}/localhost.pem\"\n" +
			"tls.key = \"{tls}/localhost.key\"\n", wantBase: "password 530, PROT C 200",
		value: `"off"`, wantValue: "password 230, PROT C 200",
		edgeValue: `"all"`, wantEdge: "password 530, PROT C 534", wrongValue: `"yes"`,
	},
	{
		key: "defaults.allow_from", probe: logsIn, wantBase: "230",
		value: `["192.0.2.0/24"]`, wantValue: "530", edgeValue: `["127.0.0.1"]`, wantEdge: "230",
		wrongValue: `["127.0.0.1/8"]`,
	},
	{
		key: "defaults.login_message", probe: wholeReply("login"),
		wantBase: "230 Login successful.",
		value:    `"Hello.\nMind the rules."`, wantValue: "230 Hello.\n230 Mind the rules.",
		edgeValue: `""`, wantEdge: "230 Login successful.", wrongValue: `"\u0007"`,
	},
	{
		key: "defaults.quit_message", probe: wholeReply("QUIT"), wantBase: "221 Goodbye.",
		value: `"Bye.\nCome again."`, wantValue: "221 Bye.\n221 Come again.",
		edgeValue: `""`, wantEdge: "221 Goodbye.", wrongValue: `"\u0007"`,
	},
	{
		key: "defaults.hide_owners", probe: (*keyRun).owners, wantBase: "the user",
		value: `true`, wantValue: "ftp ftp", wrongValue: `1`,
	},
}

var userKeys = []keyRow{
	{
		key: "defaults.create_home", probe: logsIn, ownService: true,
		otherSettings: "defaults.home = \"{new}/{user}\"\nserver.roots = [\"{new}\"]\n",
		wantBase:      "530", value: `true`, wantValue: "230", wrongValue: `"yes"`,
	},

	{
		key: "defaults.run_as", probe: (*keyRun).actsAs, noDerivedRows: true,
		otherSettings: "[[user]]\nname = \"carla\"\npassword = \"{hash}\"\nhome = \"{dir}\"\n",
		wantBase:      "ftp-virtual", value: `"{plain}"`, wantValue: "the user",
		wrongValue: `"root"`,
	},
	{
		key: "user.run_as", probe: (*keyRun).actsAs, noDerivedRows: true,
		baseValue: strings.Replace(carla, "run_as = \"{plain}\"\n", "", 1),
		wantBase:  "ftp-virtual", value: carla, wantValue: "the user", wrongValue: `"root"`,
	},
	{key: "group.run_as", unsupportedValue: `"nobody"`, unsupportedReason: "nothing uses it"},
	{
		key: "user.name", probe: logsInAs("carla:secret"), noDerivedRows: true,
		baseValue: strings.Replace(carla, "carla", "other", 1), wantBase: "530",
		value: carla, wantValue: "230", wrongValue: `"a/b"`,
	},
	{
		key: "user.password", probe: logsInAs("{named}", "{named}:secret"), noDerivedRows: true,
		baseValue: "[[user]]\nname = \"{named}\"\nhome = \"{dir}\"\n", wantBase: "230 530",
		value:     "[[user]]\nname = \"{named}\"\nhome = \"{dir}\"\npassword = \"{hash}\"\n",
		wantValue: "530 230", wrongValue: `"secret"`,
	},
	{
		key: "group.name", probe: (*keyRun).modes,
		baseValue: "[[group]]\nname = \"root\"\numask = \"077\"\n", wantBase: "0644 0755",
		value: "[[group]]\nname = \"{group}\"\numask = \"077\"\n", wantValue: "0600 0700",
		wrongValue: `"@staff"`,
	},
	{
		key: "user.disabled", probe: logsIn, wantBase: "230", value: `true`, wantValue: "530",
		wrongValue: `"no"`,
	},
	{
		key: "user.expires", probe: logsIn, wantBase: "230",
		value: `2020-01-02`, wantValue: "530", edgeValue: `{today}`, wantEdge: "230",
		wrongValue: `"2020-01-02"`,
	},

	{
		key: "user.rule.path", probe: does("STOR {path}/new", "STOR {path}/sub/new"),
		baseValue: rule("/elsewhere", `"read-only"`), wantBase: "226 226",
		value: rule("{path}/sub", `"read-only"`), wantValue: "226 550",
		edgeValue: rule("/", `"read-only"`), wantEdge: "550 550", wrongValue: `"sub"`,
	},
	{
		key:       "user.rule.permissions",
		probe:     does("STOR {path}/new", "STOR {path}/f", "RETR {path}/f"),
		baseValue: rule("{path}", `"full"`), wantBase: "226 226 226 text",
		value: rule("{path}", `"drop-box"`), wantValue: "226 550 550",
		edgeValue: rule("{path}", `[]`), wantEdge: "550 550 550", wrongValue: `"open"`,
	},
	{
		key: "user.mount.path", probe: does("RETR /there/f", "RETR /there/deeper/f"),
		baseValue: mount("/here", ""), wantBase: "550 550",
		value: mount("/there", ""), wantValue: "226 text 550",
		edgeValue: mount("/there/deeper", ""), wantEdge: "550 226 text", wrongValue: `"/"`,
	},
	{
		key: "user.mount.directory", probe: does("RETR /there/where"),
		baseValue: strings.Replace(mount("/there", ""), "{dir}", "{home}", 1),
		wantBase:  "226 home", value: mount("/there", ""), wantValue: "226 elsewhere",
		wrongValue: `"/proc/self"`,
	},
	{
		key: "user.mount.permissions", probe: does("STOR /there/new", "NLST /there/sub"),
		baseValue: mount("/there", ""), wantBase: "226 226",
		value: mount("/there", "permissions = \"read-only\"\n"), wantValue: "550 226",
		edgeValue: mount("/there", "permissions = []\n"), wantEdge: "550 550",
		wrongValue: `"open"`,
	},
}

func rule(path, permissions string) string {
	return fmt.Sprintf("[[user]]\nname = \"{me}\"\n[[user.rule]]\npath = %q\npermissions = %s\n",
		path, permissions)
}

func mount(path, more string) string {
	return fmt.Sprintf("[[user]]\nname = \"{me}\"\n[[user.mount]]\npath = %q\ndirectory = \"{dir}\"\n%s",
		path, more)
}

// does returns the replies to commands of a user, and the data of downloads. Uploads send "text".
func does(lines ...string) func(*keyRun) string {
	return func(r *keyRun) string {
		c, answer := r.login()
		if answer.code != 230 {
			return codes(answer)
		}
		var all []string
		for _, line := range lines {
			line = r.words(line)
			switch verb, _, _ := strings.Cut(line, " "); verb {
			case "STOR", "APPE":
				answer, err := c.store(line, "text")
				all = append(all, moved("", answer, err))
			case "RETR", "NLST":
				all = append(all, moved(c.retrieve(line)))
			default:
				all = append(all, codes(c.send(line)))
			}
		}
		return strings.Join(all, " ")
	}
}

// reaches returns where the user sees the home, and whether the rest of the host is visible.
func (r *keyRun) reaches() string {
	c, _ := r.login()
	at := "home elsewhere"
	switch pwd := c.send("PWD").text; {
	case strings.HasPrefix(pwd, `"/" `):
		at = "home at /"
	case strings.HasPrefix(pwd, `"`+r.user.home+`" `):
		at = "home at its place"
	}
	if c.send("CWD /usr").code == 250 {
		return at + ", further"
	}
	return at + ", no further"
}

// modes returns the modes of a new file and a new directory.
func (r *keyRun) modes() string {
	c, _ := r.login()
	c.store("STOR "+r.path+"/new", "text")
	c.send("MKD " + r.path + "/newdir")
	var modes []string
	for _, name := range []string{"new", "newdir"} {
		info, err := os.Stat(filepath.Join(r.dir, name))
		if err != nil {
			return err.Error()
		}
		modes = append(modes, fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	return strings.Join(modes, " ")
}

// twice returns the replies to two logins at one time.
func twice(r *keyRun) string {
	_, first := r.login()
	_, second := r.login()
	return codes(first, second)
}

// withoutTLS returns the replies to a password in the clear, and to PROT C over TLS.
func (r *keyRun) withoutTLS() string {
	_, answer := r.login()
	clear := codes(answer)
	c, _ := r.dial()
	if _, err := c.startTLS(r.w.ours.client("localhost")); err != nil {
		return err.Error()
	}
	c.logIn(r.user.name, r.user.password)
	return "password " + clear + ", PROT C " + codes(c.send("PROT C"))
}

// wholeReply returns the whole reply to a command, or to the login.
func wholeReply(line string) func(*keyRun) string {
	return func(r *keyRun) string {
		c, answer := r.login()
		if line != "login" {
			answer = c.send(line)
		}
		return answer.String()
	}
}

// owners returns the owners that LIST and MLSD show.
func (r *keyRun) owners() string {
	c, _ := r.login()
	list, _, _ := c.retrieve("LIST " + r.path + "/f")
	fields := strings.Fields(list)
	if len(fields) < 4 {
		return list
	}
	shown := fields[2] + " " + fields[3]
	facts, _, _ := c.retrieve("MLSD " + r.path)
	group, _ := user.LookupGroupId(strconv.Itoa(r.user.gid))
	switch {
	case shown == r.user.name+" "+group.Name && !strings.Contains(facts, "owner=ftp;"):
		return "the user"
	case strings.Contains(facts, r.user.name):
		return "hidden in LIST alone"
	}
	return shown
}

// actsAs returns the owner of a file that carla stores in a directory that is open to all.
func (r *keyRun) actsAs() string {
	os.Chmod(r.dir, 0o777)
	c, _ := r.loginAs("carla", "secret")
	c.store("STOR new", "text")
	info, err := os.Stat(filepath.Join(r.dir, "new"))
	if err != nil {
		return err.Error()
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != r.w.plain.uid {
		u, _ := user.LookupId(fmt.Sprint(uid))
		return u.Username
	}
	return "the user"
}
