package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/inspect"
)

func checkFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ftpd.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// quiet is a look at a host without problems.
func quiet(context.Context, *config.Source, time.Time) inspect.Facts {
	return inspect.Facts{
		Kernel:       inspect.Kernel{Layers: []string{"openat2"}, Missing: []string{}},
		Certificates: []inspect.Certificate{},
	}
}

// busy is a look at a host where the port is taken and a home is missing.
func busy(_ context.Context, source *config.Source, _ time.Time) inspect.Facts {
	source.Report("server.listen[0]", false, "taken")
	source.Report("defaults.home", true, "missing")
	return inspect.Facts{}
}

// checkOn is runCheck with another look at the host.
func checkOn(outside look, known config.Accounts, args []string, stdout, stderr io.Writer) int {
	c, code, done := parseCheck(args, stdout, stderr)
	if done {
		return code
	}
	return c.run(known, outside, stdout, stderr)
}

// Problems are written to stderr and fail the command; warnings are written there and do not.
// stdout has the requested output.
func TestCheckStreamsAndExitCodes(t *testing.T) {
	good := checkFile(t, "[log]\nlevel = \"debug\"\n")
	bad := checkFile(t, "limits.idle_timout = \"5m\"\n[log]\nlevel = \"loud\"\n")
	warned := checkFile(t, "[defaults]\numask = \"777\"\n")
	for _, test := range []struct {
		args           string
		code           int
		stdout, stderr string // beginnings; "" means empty
	}{
		{"--config " + good, exitOK, good + ": ok\nkernel: openat2\n", ""},
		{
			"--config " + bad, exitError, "",
			bad + ":1: limits.idle_timout: unknown key; did you mean idle_timeout?\n" + bad + ":3: log.level: ",
		},
		{"--config " + warned, exitOK, warned + ": ok\n", warned + ":2: warning: defaults.umask: "},
		{"--config " + good + "x", exitError, "", good + "x: cannot be read: "},
		{
			"--config " + good + " --show", exitOK,
			"[log]\nlevel = \"debug\"  # " + good + ":2\n", "",
		},
		{
			"--config " + good + " --show --all", exitOK,
			"include = [\"ftpd.d/*.toml\"]  # default\n", "",
		},
		{"--config " + bad + " --show", exitError, "", bad + ":1: "},
		{"--config " + bad + " --json", exitError, "{\n", ""},
		{
			"--config " + good + " --show --from ::1", exitOK,
			"# ::1 may log in: allow_from is empty (default)\n[log]\n", "",
		},
		{"--json --show", exitUsage, "", "ftpd check: --json lists problems"},
		{"--user alice", exitUsage, "", "ftpd check: --user, --from and --all go with --show"},
		{"--show --from home", exitUsage, "", "ftpd check: --from home: not an IP address"},
		{"--schema --json", exitUsage, "", "ftpd check: --schema prints the schema alone"},
		{"--schame", exitUsage, "", "ftpd check: unknown flag"},
		{"file", exitUsage, "", "ftpd check: too many arguments"},
		{"--help", exitOK, "Usage: ftpd check ", ""},
	} {
		var stdout, stderr strings.Builder
		code := checkOn(quiet, town{}, strings.Fields(test.args), &stdout, &stderr)
		if code != test.code || !begins(stdout.String(), test.stdout) ||
			!begins(stderr.String(), test.stderr) {
			t.Errorf("ftpd check %s: exit %d\nstdout: %s\nstderr: %s",
				test.args, code, &stdout, &stderr)
		}
	}
}

func begins(text, with string) bool {
	return strings.HasPrefix(text, with) && (text == "") == (with == "")
}

// Errors and warnings about the host have the same effect as those about the file. The host is not
// checked while the file has errors, nor with --show.
func TestCheckLooksOutside(t *testing.T) {
	good := checkFile(t, "[server]\nlisten = [\"127.0.0.1:2121\"]\n[defaults]\nhome = \"/srv/x\"\n")
	bad := checkFile(t, "x = 1\n")
	for _, test := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{
			"--config " + good, exitError, "",
			good + ":2: server.listen: taken\n" + good + ":4: warning: defaults.home: missing\n",
		},
		{"--config " + bad, exitError, "", bad + ":1: x: unknown key\n"},
		{
			"--show --config " + good, exitOK,
			"[server]\nlisten = [\"127.0.0.1:2121\"]  # " + good + ":2\n\n[defaults]\nhome = \"/srv/x\"  # " + good + ":4\n",
			"",
		},
	} {
		var stdout, stderr strings.Builder
		code := checkOn(busy, town{}, strings.Fields(test.args), &stdout, &stderr)
		if code != test.code || stdout.String() != test.stdout || stderr.String() != test.stderr {
			t.Errorf("ftpd check %s: exit %d\nstdout: %s\nstderr: %s",
				test.args, code, &stdout, &stderr)
		}
	}
}

// The field names are those that ftpd(8) documents for programs.
func TestCheckJSON(t *testing.T) {
	file := checkFile(t, "[defaults]\numask = \"777\"\nx = 1\n")
	syntax := checkFile(t, "[defaults\n")
	empty := checkFile(t, "")
	for _, test := range []struct {
		file string
		code int
		want string // "" stands for the name of the file
	}{
		{file, exitError, `{"config":"","ok":false,"problems":[` +
			`{"file":"","line":2,"key":"defaults.umask","severity":"warning","message":"\"777\" takes rights to new files from their own owner"},` +
			`{"file":"","line":3,"key":"defaults.x","severity":"error","message":"unknown key"}]}`},
		{syntax, exitError, `{"config":"","ok":false,"problems":[` +
			`{"file":"","line":1,"column":10,"severity":"error","message":"expected '.' or ']' to end table name, but got '\\n' instead"}]}`},
		{
			empty, exitOK,
			`{"config":"","ok":true,"problems":[],"certificates":[],"kernel":{"layers":["openat2"],"missing":[]}}`,
		},
	} {
		var stdout, stderr strings.Builder
		code := checkOn(quiet, town{}, []string{"--json", "--config", test.file}, &stdout, &stderr)
		var got bytes.Buffer
		if err := json.Compact(&got,
			[]byte(strings.ReplaceAll(stdout.String(), test.file, ""))); err != nil {
			t.Fatal(err)
		}
		if code != test.code || got.String() != test.want || stderr.String() != "" {
			t.Errorf("exit %d, stderr %s\ngot  %s\nwant %s", code, &stderr, &got, test.want)
		}
	}
}

func TestCheckPrintsTheSchema(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := runCheck([]string{"--schema"}, &stdout, &stderr); code != exitOK ||
		stdout.String() != string(config.Schema()) || stderr.String() != "" {
		t.Errorf("exit %d: %.100s%s", code, &stdout, &stderr)
	}
}

// A town is a system with one account.
type town struct{}

func (town) UserExists(name string) (bool, error) { return name == "alice", nil }

func (town) GroupsOf(name string) ([]string, error) {
	if name == "alice" {
		return []string{"staff"}, nil
	}
	return nil, nil
}

func TestCheckShowsAUserWithTheGroups(t *testing.T) {
	file := checkFile(t,
		"[[group]]\nname = \"staff\"\numask = \"002\"\nallow_from = [\"10.0.0.0/8\"]\n")
	for _, test := range []struct{ user, want string }{
		{"alice", "# 192.0.2.1 is refused: it is not in allow_from (group \"staff\", " + file + ":4)\n[[user]]\nname = \"alice\"\n" +
			"umask = \"002\"  # group \"staff\", " + file + ":3\nallow_from = [\"10.0.0.0/8\"]  # group \"staff\", " + file + ":4\n"},
		{
			"bob",
			"# 192.0.2.1 may log in: allow_from is empty (default)\n[[user]]\nname = \"bob\"\n",
		},
	} {
		c := check{
			file: file, show: true, user: test.user, address: netip.MustParseAddr("192.0.2.1"),
		}
		var stdout, stderr strings.Builder
		if code := c.run(town{}, quiet, &stdout, &stderr); code != exitOK ||
			stdout.String() != test.want {
			t.Errorf("exit %d:\n%s%s", code, &stdout, &stderr)
		}
	}
	var stdout, stderr strings.Builder
	c := check{file: file, show: true, user: "a/b"}
	if code := c.run(town{}, quiet, &stdout, &stderr); code != exitError ||
		!strings.Contains(stderr.String(), `"a/b"`) {
		t.Errorf("a/b: exit %d: %s%s", code, &stdout, &stderr)
	}
}

// Accounts that cannot be looked up are an error only if the configuration names an account.
func TestCheckWithoutNames(t *testing.T) {
	unknown := unknownAccounts{errors.New("no ftpd-auth")}
	for text, code := range map[string]int{
		"":                                    exitOK,
		"[anonymous]\nenabled = false\n":      exitOK,
		"[anonymous]\nrun_as = \"ftp\"\n":     exitError, // the default, but written in the file
		"[defaults]\nrun_as = \"ftp\"\n":      exitError,
		"[[user]]\nname = \"a\"\nhome = \"\"": exitOK,
	} {
		var stdout, stderr strings.Builder
		c := check{file: checkFile(t, text)}
		if got := c.run(unknown, quiet, &stdout, &stderr); got != code ||
			code == exitError && !strings.Contains(stderr.String(), "no ftpd-auth") {
			t.Errorf("%q: exit %d: %s", text, got, &stderr)
		}
	}
}
