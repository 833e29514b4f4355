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

// The keys of [defaults], each of which stands in [[group]] and [[user]] as well.
var settingKeys = []keyRow{
	{key: "defaults.home", probe: does("RETR where"), before: "226 home", set: `"{dir}"`, after: "226 elsewhere", edge: `""`, atEdge: "226 home", wrong: `"srv"`},
	{key: "defaults.start_directory", probe: does("RETR where"), before: "226 home", set: `"{path}"`, after: "226 elsewhere", edge: `"/no-such-directory"`, atEdge: "226 home", wrong: `"srv"`},
	{key: "defaults.confine", beside: "server.roots = [\"/\"]\n", probe: (*keyRun).reaches, before: "home at /, no further", set: `false`, after: "home at its place, further",
		wrong: `"no"`},
	{key: "defaults.permissions", probe: does("STOR {path}/new", "APPE {path}/f", "RETR {path}/f", "NLST {path}/sub"), before: "226 226 226 texttext 226",
		set: `["read", "append"]`, after: "550 226 226 texttext 550", edge: `[]`, atEdge: "550 550 550 550", wrong: `["fly"]`},
	{key: "defaults.umask", probe: (*keyRun).modes, before: "0644 0755", set: `"027"`, after: "0640 0750", edge: `"000"`, atEdge: "0666 0777", wrong: `"1000"`},
	{key: "defaults.max_sessions", probe: twice, before: "230 230", set: `1`, after: "230 530", edge: `2147483647`, atEdge: "230 230", wrong: `-1`},
	{key: "defaults.require_tls", beside: "tls.certificate = \"{tls}/localhost.pem\"\ntls.key = \"{tls}/localhost.key\"\n", probe: (*keyRun).withoutTLS, before: "password 530, PROT C 200",
		set: `"off"`, after: "password 230, PROT C 200", edge: `"all"`, atEdge: "password 530, PROT C 534", wrong: `"yes"`},
	{key: "defaults.allow_from", probe: logsIn, before: "230", set: `["192.0.2.0/24"]`, after: "530", edge: `["127.0.0.1"]`, atEdge: "230", wrong: `["127.0.0.1/8"]`},
	{key: "defaults.login_message", probe: says("login"), before: "230 Login successful.", set: `"Hello.\nMind the rules."`, after: "230 Hello.\n230 Mind the rules.",
		edge: `""`, atEdge: "230 Login successful.", wrong: `"\u0007"`},
	{key: "defaults.quit_message", probe: says("QUIT"), before: "221 Goodbye.", set: `"Bye.\nCome again."`, after: "221 Bye.\n221 Come again.",
		edge: `""`, atEdge: "221 Goodbye.", wrong: `"\u0007"`},
	{key: "defaults.hide_owners", probe: (*keyRun).owners, before: "the user", set: `true`, after: "ftp ftp", wrong: `1`},
}

var userKeys = []keyRow{
	{key: "defaults.create_home", beside: "defaults.home = \"{new}/{user}\"\nserver.roots = [\"{new}\"]\n", probe: logsIn, own: true, before: "530", set: `true`, after: "230", wrong: `"yes"`},

	{key: "defaults.run_as", alone: true, beside: "[[user]]\nname = \"carla\"\npassword = \"{hash}\"\nhome = \"{dir}\"\n", probe: (*keyRun).actsAs, before: "ftp-virtual", set: `"{plain}"`, after: "the user", wrong: `"root"`},
	{key: "user.run_as", alone: true, probe: (*keyRun).actsAs, was: strings.Replace(carla, "run_as = \"{plain}\"\n", "", 1), before: "ftp-virtual", set: carla, after: "the user", wrong: `"root"`},
	{key: "group.run_as", never: `"nobody"`, why: "nothing uses it"},
	{key: "user.name", alone: true, probe: logsInAs("carla:secret"), was: strings.Replace(carla, "carla", "other", 1), before: "530", set: carla, after: "230", wrong: `"a/b"`},
	{key: "user.password", alone: true, probe: logsInAs("{named}", "{named}:secret"), was: "[[user]]\nname = \"{named}\"\nhome = \"{dir}\"\n", before: "230 530",
		set: "[[user]]\nname = \"{named}\"\nhome = \"{dir}\"\npassword = \"{hash}\"\n", after: "530 230", wrong: `"secret"`},
	{key: "group.name", probe: (*keyRun).modes, was: "[[group]]\nname = \"root\"\numask = \"077\"\n", before: "0644 0755",
		set: "[[group]]\nname = \"{group}\"\numask = \"077\"\n", after: "0600 0700", wrong: `"@staff"`},
	{key: "user.disabled", probe: logsIn, before: "230", set: `true`, after: "530", wrong: `"no"`},
	{key: "user.expires", probe: logsIn, before: "230", set: `2020-01-02`, after: "530", edge: `{today}`, atEdge: "230", wrong: `"2020-01-02"`},

	{key: "user.rule.path", probe: does("STOR {path}/new", "STOR {path}/sub/new"), was: rule("/elsewhere", `"read-only"`), before: "226 226",
		set: rule("{path}/sub", `"read-only"`), after: "226 550", edge: rule("/", `"read-only"`), atEdge: "550 550", wrong: `"sub"`},
	{key: "user.rule.permissions", probe: does("STOR {path}/new", "STOR {path}/f", "RETR {path}/f"), was: rule("{path}", `"full"`), before: "226 226 226 text",
		set: rule("{path}", `"drop-box"`), after: "226 550 550", edge: rule("{path}", `[]`), atEdge: "550 550 550", wrong: `"open"`},
	{key: "user.mount.path", probe: does("RETR /there/f", "RETR /there/deeper/f"), was: mount("/here", ""), before: "550 550",
		set: mount("/there", ""), after: "226 text 550", edge: mount("/there/deeper", ""), atEdge: "550 226 text", wrong: `"/"`},
	{key: "user.mount.directory", probe: does("RETR /there/where"), was: strings.Replace(mount("/there", ""), "{dir}", "{home}", 1), before: "226 home",
		set: mount("/there", ""), after: "226 elsewhere", wrong: `"/proc/self"`},
	{key: "user.mount.permissions", probe: does("STOR /there/new", "NLST /there/sub"), was: mount("/there", ""), before: "226 226",
		set: mount("/there", "permissions = \"read-only\"\n"), after: "550 226", edge: mount("/there", "permissions = []\n"), atEdge: "550 550", wrong: `"open"`},
}

func rule(path, permissions string) string {
	return fmt.Sprintf("[[user]]\nname = \"{me}\"\n[[user.rule]]\npath = %q\npermissions = %s\n", path, permissions)
}

func mount(path, more string) string {
	return fmt.Sprintf("[[user]]\nname = \"{me}\"\n[[user.mount]]\npath = %q\ndirectory = \"{dir}\"\n%s", path, more)
}

// does is what commands of a user are answered, and what downloads bring. An upload is "text".
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
				all = append(all, codes(c.ask(line)))
			}
		}
		return strings.Join(all, " ")
	}
}

// reaches is where the user finds the home, and whether the host lies around it.
func (r *keyRun) reaches() string {
	c, _ := r.login()
	at := "home elsewhere"
	switch pwd := c.ask("PWD").text; {
	case strings.HasPrefix(pwd, `"/" `):
		at = "home at /"
	case strings.HasPrefix(pwd, `"`+r.user.home+`" `):
		at = "home at its place"
	}
	if c.ask("CWD /usr").code == 250 {
		return at + ", further"
	}
	return at + ", no further"
}

// modes are those of a new file and a new directory.
func (r *keyRun) modes() string {
	c, _ := r.login()
	c.store("STOR "+r.path+"/new", "text")
	c.ask("MKD " + r.path + "/newdir")
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

// twice is what two logins at one time are answered.
func twice(r *keyRun) string {
	_, first := r.login()
	_, second := r.login()
	return codes(first, second)
}

// withoutTLS is what a password in the clear is answered, and who wants data in the clear.
func (r *keyRun) withoutTLS() string {
	_, answer := r.login()
	clear := codes(answer)
	c, _ := r.dial()
	if _, err := c.startTLS(r.w.ours.client("localhost")); err != nil {
		return err.Error()
	}
	c.logIn(r.user.name, r.user.password)
	return "password " + clear + ", PROT C " + codes(c.ask("PROT C"))
}

// says is the whole text that a command is answered, or the login.
func says(line string) func(*keyRun) string {
	return func(r *keyRun) string {
		c, answer := r.login()
		if line != "login" {
			answer = c.ask(line)
		}
		return answer.String()
	}
}

// owners are those that LIST and MLSD show.
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

// actsAs is to whom belongs what carla stores in a directory that is open to all.
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
