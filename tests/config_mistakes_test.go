//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFiveMistakes checks that all mistakes are reported at once, each with its line and key, by
// `ftpd check` and by a start alike.
func TestFiveMistakes(t *testing.T) {
	t.Parallel()
	needHelper(t)
	config := `[server]
listen = ["127.0.0.1:2121"]
banner = 220

[anonymous]
run_as = "ftpdtest-nobody"

[limits]
idle_timout = "5m"

[auth]
max_attempts = -1

[[user]]
name = "alice"

[[user]]
name = "alice"
`
	want := []string{`3: server\.banner: `, `6: anonymous\.run_as: .*ftpdtest-nobody`,
		`9: limits\.idle_timout: .*idle_timeout`, `12: auth\.max_attempts: `,
		`18: user\b.*alice.*15`}
	for _, command := range []string{"check", "serve"} {
		t.Run(command, func(t *testing.T) { expectProblems(t, command, config, want) })
	}
}

func TestSyntaxErrorHasLineAndColumn(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"check", "serve"} {
		t.Run(command, func(t *testing.T) {
			expectProblems(t, command, "[server]\nbanner = \"one\" two\n", []string{`2:\d+: `})
		})
	}
}

func TestMaskIsAString(t *testing.T) {
	t.Parallel()
	expectProblems(t, "check", "[defaults]\numask = 022\n", []string{`2(:\d+)?: .*"022"`})
}

func TestCorrectFilePasses(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	config := fmt.Sprintf("[server]\nlisten = [\"127.0.0.1:2121\"]\n[[user]]\nname = %q\numask = \"077\"\n", u.name)
	if out, code := runConfig(t, "check", config); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// expectProblems checks for exit code 1 and one line for each pattern, which follows the name of
// the file.
func expectProblems(t *testing.T, command, config string, patterns []string) {
	t.Helper()
	out, code := runConfig(t, command, config)
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(patterns) {
		t.Errorf("got %d lines, want %d:\n%s", len(lines), len(patterns), out)
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile(`(?m)^FILE:` + pattern).MatchString(out) {
			t.Errorf("no line has %s:\n%s", pattern, out)
		}
	}
}

// runConfig runs a command on a configuration. In the output that it returns, FILE replaces the
// name of the configuration.
func runConfig(t *testing.T, command, config string) (output string, code int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ftpd.toml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ftpd"), command, "--config", path)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), path, "FILE"), cmd.ProcessState.ExitCode()
}

// TestShowOfVirtualUser checks that a virtual user has the groups of no account, whatever the
// name is.
func TestShowOfVirtualUser(t *testing.T) {
	t.Parallel()
	needHelper(t)
	path := filepath.Join(t.TempDir(), "ftpd.toml")
	writeFile(t, path, fmt.Sprintf("[[group]]\nname = \"root\"\numask = \"077\"\n[[user]]\nname = \"root\"\npassword = %q\nhome = \"/srv/x\"\nrun_as = \"nobody\"\n", hashes["bcrypt"]), 0o600)
	out := command(t, "", filepath.Join(bin, "ftpd"), "check", "--config", path, "--show", "--user",
		"root")
	if !strings.Contains(out, "/srv/x") || strings.Contains(out, "077") {
		t.Errorf("shown:\n%s", out)
	}
}
