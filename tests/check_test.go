//go:build linux

package tests

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCheckLooksOutside checks what `ftpd check` finds outside the file, each once right and once
// wrong. Errors are what prevents a start.
func TestCheckLooksOutside(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir, open := sharedDir(t), sharedDir(t)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a := newAuthority(t)
	a.issueAs(t, "soon", "localhost", "ecdsa", 73*time.Hour)
	a.issueAs(t, "late", "localhost", "ecdsa", 1000*time.Hour)
	a.issueAs(t, "other", "localhost", "ecdsa", 1000*time.Hour)
	a.issueAs(t, "open", "localhost", "ecdsa", 1000*time.Hour)
	for _, file := range []string{"open.pem", "open.key"} {
		if err := os.Chmod(a.file(file), 0o622); err != nil {
			t.Fatal(err)
		}
	}
	pair := func(certificate, key string) settings {
		return settings{"end": fmt.Sprintf("[tls]\ncertificate = %q\nkey = %q\n",
			a.file(certificate+".pem"), a.file(key+".key"))}
	}
	implicit := func(addr string) settings {
		return settings{"server": fmt.Sprintf("listen_tls = [%q]\n", addr),
			"end": a.section("late")}
	}
	home := func(dir string) settings {
		return settings{"defaults": fmt.Sprintf("home = %q\n",
			dir)}
	}
	mount := func(dir string) settings {
		return settings{"end": fmt.Sprintf("[[user]]\nname = \"alice\"\n[[user.mount]]\npath = \"/m\"\ndirectory = %q\n", dir)}
	}
	anonymous := func(dir, permissions string) settings {
		return settings{"anonymous": fmt.Sprintf("enabled = true\nrun_as = \"nobody\"\ndirectory = %q\npermissions = %q\n", dir, permissions)}
	}
	ports := func(limit int) settings {
		return settings{"limits": fmt.Sprintf("max_sessions = %d\n", limit),
			"end": "[data]\npassive_ports = \"50000-51999\"\n"}
	}
	for _, test := range []struct {
		name string
		add  settings
		code int
		want string // part of one line of the output; "-": nothing but that all is well
	}{
		{"all is well", nil, 0, "-"},
		{"port of another program", implicit(taken.Addr().String()), 1,
			fmt.Sprintf(": server.listen_tls: cannot listen on %s: tests.test (pid %d) does already", taken.Addr(), os.Getpid())},
		{"address of another host", implicit("192.0.2.1:990"), 1,
			": server.listen_tls: cannot listen on 192.0.2.1:990: "},
		{"home", home(dir), 0, "-"},
		{"home of each", home(dir + "/{user}"), 0, "-"},
		{"no home", home(dir + "/none"), 0,
			"warning: defaults.home: there is no directory " + dir + "/none: "},
		{"no home of each", home(dir + "/none/{user}"), 0,
			"warning: defaults.home: there is no directory " + dir + "/none: "},
		{"home to be made", settings{"defaults": fmt.Sprintf("home = %q\ncreate_home = true\n",
			"/usr/{user}")}, 0, "-"},
		{"home to be made among strangers",
			settings{"defaults": fmt.Sprintf("home = %q\ncreate_home = true\n", open+"/{user}")}, 0,
			"warning: defaults.home: create_home makes no home in " + open + ": every account can change "},
		{"mount", mount(dir), 0, "-"},
		{"no mount", mount(dir + "/none"), 0,
			"warning: user.mount.directory: there is no directory " + dir + "/none: "},
		{"anonymous", anonymous(dir, "read-only"), 0, "-"},
		{"no anonymous", anonymous(dir+"/none", "read-only"), 0,
			"warning: anonymous.directory: there is no directory " + dir + "/none"},
		{"anonymous writes", anonymous(dir, "full"), 0,
			"warning: anonymous.permissions: anybody may change what is served"},
		{"enough ports", ports(2000), 0, "-"},
		{"few ports", ports(2001), 0, "warning: data.passive_ports: 2000 ports are fewer than limits.max_sessions = 2001"},
		{"log", settings{"log": fmt.Sprintf("file = %q\n", dir+"/log")}, 0, "-"},
		{"no folder of the log", settings{"log": fmt.Sprintf("file = %q\n", dir+"/none/log")}, 1,
			": log.file: there is no directory " + dir + "/none"},
		{"socket in an open directory", settings{"admin": fmt.Sprintf("socket = %q\n", open+"/s")}, 0,
			"warning: admin.socket: ftpd who and ftpd kick will not reach the service: every account"},
		{"certificate", pair("late", "late"), 0,
			"tls.certificate: " + a.file("late.pem") + " is good until "},
		{"certificate ends soon", pair("soon", "soon"), 0,
			"warning: tls.certificate: the certificate expires on "},
		{"certificate that all can change", pair("open", "open"), 0,
			"warning: tls.certificate: every account can change " + a.file("open.pem")},
		{"key that all can change", pair("open", "open"), 0,
			"warning: tls.key: every account can change " + a.file("open.key")},
		{"key of another", pair("late", "other"), 1,
			": tls.key: " + a.file("other.key") + ": the key is not that of the certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, code := checkAs(t, writeConfig(t, freePort(t), test.add), nil)
			if code != test.code || test.want != "-" && !strings.Contains(out, test.want) {
				t.Errorf("exit %d:\n%s", code, out)
			}
			if test.want == "-" && (strings.Contains(out, "warning") ||
				!strings.Contains(out, ": ok\nkernel: openat2")) {
				t.Errorf("something is wrong:\n%s", out)
			}
		})
	}
}

// checkAs runs `ftpd check` with other credentials than root's; nil is root.
func checkAs(t *testing.T, config string, as *syscall.Credential) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ftpd"), "check", "--config", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	return outcome(t, cmd)
}

// outcome runs a command and returns its output and exit code, which is -1 if a signal ended it.
func outcome(t *testing.T, cmd *exec.Cmd) (out string, code int) {
	t.Helper()
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// TestCheckWhileTheServiceRuns checks that a running service is no obstacle for its own
// configuration, and is one for another. Without root, check cannot find out which configuration
// the service has.
func TestCheckWhileTheServiceRuns(t *testing.T) {
	t.Parallel()
	needRoot(t)
	port := freePort(t)
	dir := sharedDir(t)
	config, copied := filepath.Join(dir, "ftpd.toml"), filepath.Join(dir, "copy.toml")
	text := readFile(t, writeConfig(t, port, nil))
	for _, file := range []string{config, copied} {
		writeFile(t, file, text, 0o644)
	}
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)
	if out, code := checkAs(t, config, nil); code != 0 || strings.Contains(out, "server.listen") {
		t.Errorf("its own: exit %d:\n%s", code, out)
	}
	want := fmt.Sprintf(": server.listen: cannot listen on 127.0.0.1:%d: ftpd (pid %d) does already", port, s.cmd.Process.Pid)
	if out, code := checkAs(t, copied, nil); code != 1 || !strings.Contains(out, want) {
		t.Errorf("another's: exit %d:\n%s", code, out)
	}
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	if out, code := checkAs(t, config, nobody); code != 0 ||
		!strings.Contains(out, fmt.Sprintf(": warning: server.listen: something listens on 127.0.0.1:%d already", port)) {
		t.Errorf("not root: exit %d:\n%s", code, out)
	}
}

// TestCheckReadsPAM checks that PAM modules that only have an effect until the end of the login
// are named with their file and line, wherever they are included.
func TestCheckReadsPAM(t *testing.T) {
	t.Parallel()
	needRoot(t)
	common := pamService(t)
	commonFile := filepath.Join("/etc/pam.d", common)
	writeFile(t, commonFile, "session optional pam_mkhomedir.so\nsession required pam_limits.so\n",
		0o644)
	service := pamService(t)
	writeFile(t, filepath.Join("/etc/pam.d", service),
		"auth required pam_unix.so\nsession include "+common+"\nsession required pam_namespace.so\n", 0o644)

	config := "[server]\nlisten = [\"127.0.0.1:%d\"]\n[auth]\npam_service = %q\n"
	out, code := runConfig(t, "check", fmt.Sprintf(config, freePort(t), service))
	for _, want := range []string{commonFile + ":2: pam_limits has no effect",
		"/etc/pam.d/" + service + ":3: pam_namespace has no effect"} {
		if code != 0 || strings.Count(out, "FILE:4: warning: auth.pam_service: "+want) != 1 {
			t.Errorf("exit %d, no %s:\n%s", code, want, out)
		}
	}
	out, code = runConfig(t, "check", fmt.Sprintf(config, freePort(t), "ftpdtest-none"))
	if code != 0 || !strings.Contains(out,
		"FILE:4: warning: auth.pam_service: there is no /etc/pam.d/ftpdtest-none") {
		t.Errorf("no file: exit %d:\n%s", code, out)
	}
}

// TestCheckMissesTheAccount checks that check explains how to make the account ftpd where it is
// missing, as a start does.
func TestCheckMissesTheAccount(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "unshare")
	// all of /etc, since a mount on one file ends when useradd replaces that file
	etc := filepath.Join(sharedDir(t), "etc")
	config := writeConfig(t, freePort(t), nil)
	command(t, "", "sh", "-c", `cp -a /etc "$1" || true`, "sh", etc) // lock files come and go
	command(t, "", "sed", "-i", "/^ftpd:/d", etc+"/passwd")
	for _, name := range []string{"check", "serve"} {
		out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c",
			`mount --bind "$1" /etc && exec "$2" "$3" --config "$4"`,
			"sh", etc, filepath.Join(bin, "ftpd"), name, config).CombinedOutput()
		if err == nil || !strings.Contains(string(out),
			"the account ftpd, which serves the network, does not exist: make it with useradd --system ") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestStartWarnsOfAnonymousWriters checks that a start warns, too, where anonymous users may
// write.
func TestStartWarnsOfAnonymousWriters(t *testing.T) {
	t.Parallel()
	needRoot(t)
	port := freePort(t)
	config := writeConfig(t, port,
		settings{"anonymous": fmt.Sprintf("enabled = true\nrun_as = \"nobody\"\ndirectory = %q\npermissions = \"full\"\n", sharedDir(t))})
	s := newServer(t, port, "serve", "--config", config)
	s.start(t)
	if !strings.Contains(s.log.String(),
		": warning: anonymous.permissions: anybody may change what is served to anonymous users") {
		t.Errorf("the log of the start is\n%s", s.log)
	}
}

// TestCheckJSONHasWhatIsOutside checks that the JSON output has what was found outside the file.
func TestCheckJSONHasWhatIsOutside(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := sharedDir(t)
	a := newAuthority(t)
	config := writeConfig(t, freePort(t), settings{
		"defaults": fmt.Sprintf("home = %q\n", dir+"/none"),
		"end":      a.section("x"),
	})
	a.issueAs(t, "x", "localhost", "ecdsa", 1000*time.Hour)
	var got struct {
		OK       bool
		Problems []struct {
			File, Key, Severity, Message string
			Line                         int
		}
		Certificates []struct {
			Key, File string
			Days      int `json:"days_left"`
		}
		Kernel struct{ Layers []string }
	}
	out := command(t, "", filepath.Join(bin, "ftpd"), "check", "--json", "--config", config)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if !got.OK || len(got.Problems) != 1 || got.Problems[0].Key != "defaults.home" ||
		got.Problems[0].Severity != "warning" || got.Problems[0].Line == 0 ||
		len(got.Certificates) != 1 || got.Certificates[0].Days != 41 ||
		got.Certificates[0].File != a.file("x.pem") ||
		len(got.Kernel.Layers) == 0 || got.Kernel.Layers[0] != "openat2" {
		t.Error(out)
	}
}
