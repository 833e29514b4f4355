package main

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func checkFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ftpd.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Problems go to stderr and fail, warnings go there and do not; stdout has what was asked for.
func TestCheckStreamsAndExitCodes(t *testing.T) {
	good := checkFile(t, "[log]\nlevel = \"debug\"\n")
	bad := checkFile(t, "limits.idle_timout = \"5m\"\n[log]\nlevel = \"loud\"\n")
	warned := checkFile(t, "[defaults]\numask = \"777\"\n")
	for _, test := range []struct {
		args           string
		code           int
		stdout, stderr string // beginnings; "" is nothing at all
	}{
		{"--config " + good, exitOK, good + ": ok\n", ""},
		{"--config " + bad, exitError, "", bad + ":1: limits.idle_timout: unknown key; did you mean idle_timeout?\n" + bad + ":3: log.level: "},
		{"--config " + warned, exitOK, warned + ": ok\n", warned + ":2: warning: defaults.umask: "},
		{"--config " + good + "x", exitError, "", good + "x: cannot be read: "},
		{"--config " + good + " --show", exitOK, "[log]\nlevel = \"debug\"  # " + good + ":2\n", ""},
		{"--config " + good + " --show --all", exitOK, "include = [\"ftpd.d/*.toml\"]  # default\n", ""},
		{"--config " + bad + " --show", exitError, "", bad + ":1: "},
		{"--config " + bad + " --json", exitError, "{\n", ""},
		{"--config " + good + " --show --from ::1", exitOK, "# ::1 may log in: allow_from is empty (default)\n[log]\n", ""},
		{"--json --show", exitUsage, "", "ftpd check: --json lists problems"},
		{"--user alice", exitUsage, "", "ftpd check: --user, --from and --all go with --show"},
		{"--show --from home", exitUsage, "", "ftpd check: --from home: not an IP address"},
		{"--schame", exitUsage, "", "ftpd check: unknown flag"},
		{"file", exitUsage, "", "ftpd check: too many arguments"},
		{"--help", exitOK, "Usage: ftpd check ", ""},
	} {
		var stdout, stderr strings.Builder
		code := runCheck(strings.Fields(test.args), &stdout, &stderr)
		if code != test.code || !begins(stdout.String(), test.stdout) || !begins(stderr.String(), test.stderr) {
			t.Errorf("ftpd check %s: exit %d\nstdout: %s\nstderr: %s", test.args, code, &stdout, &stderr)
		}
	}
}

func begins(text, with string) bool {
	return strings.HasPrefix(text, with) && (text == "") == (with == "")
}

func TestCheckJSON(t *testing.T) {
	file := checkFile(t, "[defaults]\numask = \"777\"\nx = 1\n")
	var stdout, stderr strings.Builder
	code := runCheck([]string{"--json", "--config", file}, &stdout, &stderr)
	var got struct {
		Config   string
		OK       bool
		Problems []struct {
			File, Key, Text string
			Line            int
			Warning         bool
		}
	}
	if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil || stderr.String() != "" {
		t.Fatalf("%v, stderr %s", err, &stderr)
	}
	if code != exitError || got.OK || got.Config != file || len(got.Problems) != 2 ||
		!got.Problems[0].Warning || got.Problems[1].Warning || got.Problems[1].Line != 3 || got.Problems[1].Key != "defaults.x" {
		t.Errorf("exit %d: %s", code, &stdout)
	}
	stdout.Reset()
	if code := runCheck([]string{"--json", "--config", checkFile(t, "")}, &stdout, &stderr); code != exitOK ||
		!strings.Contains(stdout.String(), `"problems": []`) {
		t.Errorf("exit %d: %s", code, &stdout)
	}
}

// A town has one inhabitant.
type town struct{}

func (town) UserExists(name string) (bool, error) { return name == "alice", nil }

func (town) GroupsOf(name string) ([]string, error) {
	if name == "alice" {
		return []string{"staff"}, nil
	}
	return nil, nil
}

func TestCheckShowsAUserWithTheGroups(t *testing.T) {
	file := checkFile(t, "[[group]]\nname = \"staff\"\numask = \"002\"\nallow_from = [\"10.0.0.0/8\"]\n")
	for _, test := range []struct{ user, want string }{
		{"alice", "# 192.0.2.1 is refused: it is not in allow_from (group \"staff\", " + file + ":4)\n[[user]]\nname = \"alice\"\n" +
			"umask = \"002\"  # group \"staff\", " + file + ":3\nallow_from = [\"10.0.0.0/8\"]  # group \"staff\", " + file + ":4\n"},
		{"bob", "# 192.0.2.1 may log in: allow_from is empty (default)\n[[user]]\nname = \"bob\"\n"},
	} {
		c := check{file: file, show: true, user: test.user, address: netip.MustParseAddr("192.0.2.1")}
		var stdout, stderr strings.Builder
		if code := c.run(town{}, &stdout, &stderr); code != exitOK || stdout.String() != test.want {
			t.Errorf("exit %d:\n%s%s", code, &stdout, &stderr)
		}
	}
	var stdout, stderr strings.Builder
	c := check{file: file, show: true, user: "a/b"}
	if code := c.run(town{}, &stdout, &stderr); code != exitError || !strings.Contains(stderr.String(), `"a/b"`) {
		t.Errorf("a/b: exit %d: %s%s", code, &stdout, &stderr)
	}
}

// Accounts that cannot be asked for fail where one is named, and nowhere else.
func TestCheckWithoutNames(t *testing.T) {
	unknown := unknownAccounts{errors.New("no ftpd-auth")}
	for text, code := range map[string]int{
		"":                                    exitOK,
		"[anonymous]\nenabled = false\n":      exitOK,
		"[anonymous]\nrun_as = \"ftp\"\n":     exitError, // by default, but said
		"[defaults]\nrun_as = \"ftp\"\n":      exitError,
		"[[user]]\nname = \"a\"\nhome = \"\"": exitOK,
	} {
		var stdout, stderr strings.Builder
		c := check{file: checkFile(t, text)}
		if got := c.run(unknown, &stdout, &stderr); got != code || code == exitError && !strings.Contains(stderr.String(), "no ftpd-auth") {
			t.Errorf("%q: exit %d: %s", text, got, &stderr)
		}
	}
}
