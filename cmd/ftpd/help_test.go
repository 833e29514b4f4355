package main

import (
	"strings"
	"testing"
)

func TestHelp(t *testing.T) {
	for _, test := range []struct {
		word           string
		code           int
		stdout, stderr string // "…" at the end of stdout: only its beginning
	}{
		{"limits.login_timeout", exitOK, `limits.login_timeout
  A client that has not logged in after this time is disconnected. "0s" switches this and each
  of the following timeouts off.

  Type:     duration: "90s", "5m", "250ms" or "1h30m"
  Default:  "1m"
  Example:  [limits]
            login_timeout = "30s"
`, ""},
		{"umask", exitOK, `defaults.umask
  Mask of the permission bits of new files and directories, in octal.
  Each [[group]] or [[user]] may override it.

  Type:     mode: octal digits as a string, such as "022"
  Default:  "022"
  Example:  [defaults]
            umask = "027"
`, ""},
		{"user.umask", exitOK, `user.umask
  Mask of the permission bits of new files and directories, in octal.
  Without it, defaults.umask holds.

  Type:     mode: octal digits as a string, such as "022"
  Example:  [[user]]
            umask = "027"
`, ""},
		{"max_sessions", exitOK, "defaults.max_sessions\n…", ""},
		{"[log]", exitOK, "[log]\n  Logs.\n\n  Keys:\n    log.level = \"info\"\n…", ""},
		{"[[user.rule]]", exitOK, "[[user.rule]]\n" +
			"  Permissions for a subtree. The rule with the longest matching path applies.\n\n" +
			"  Keys:\n    user.rule.path\n    user.rule.permissions\n…", ""},
		{"include", exitOK, "include\n  Further files to read, …", ""},
		{"check", exitOK, "Usage: ftpd check …", ""},
		{
			"core", exitUsage, "",
			"ftpd help: there is no command, section or key \"core\"; ftpd help lists the commands, etc/ftpd.toml and ftpd.toml(5) the keys\n",
		},
		{
			"idle_timout", exitUsage, "",
			"ftpd help: there is no command, section or key \"idle_timout\"; did you mean idle_timeout?\n",
		},
		{
			"limits.idle_timout", exitUsage, "",
			"ftpd help: there is no command, section or key \"limits.idle_timout\"; did you mean limits.idle_timeout?\n",
		},
		{
			"servr", exitUsage, "",
			"ftpd help: there is no command, section or key \"servr\"; did you mean server?\n",
		},
		{
			"passwort", exitUsage, "",
			"ftpd help: there is no command, section or key \"passwort\"; did you mean password?\n",
		},
		{
			"chekc", exitUsage, "",
			"ftpd help: there is no command, section or key \"chekc\"; did you mean check?\n",
		},
		{
			"", exitUsage, "",
			"ftpd help: there is no command, section or key \"\"; ftpd help lists the commands, etc/ftpd.toml and ftpd.toml(5) the keys\n",
		},
		{
			"xyzzy", exitUsage, "",
			"ftpd help: there is no command, section or key \"xyzzy\"; ftpd help lists the commands, etc/ftpd.toml and ftpd.toml(5) the keys\n",
		},
	} {
		var stdout, stderr strings.Builder
		code := dispatch([]string{"help", test.word}, &stdout, &stderr)
		beginning, cut := strings.CutSuffix(test.stdout, "…")
		fits := stdout.String() == test.stdout ||
			cut && strings.HasPrefix(stdout.String(), beginning)
		if code != test.code || !fits || stderr.String() != test.stderr {
			t.Errorf("ftpd help %s: exit %d\n%s%s", test.word, code, &stdout, &stderr)
		}
	}
}

// A name that exists in several sections is explained for each.
func TestHelpOfSeveral(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := dispatch([]string{"help", "max_sessions"}, &stdout, &stderr); code != exitOK ||
		!strings.Contains(stdout.String(),
			"\n\nlimits.max_sessions\n") || strings.Contains(stdout.String(), "user.max_sessions") {
		t.Errorf("exit %d: %s%s", code, &stdout, &stderr)
	}
}

func TestHelpWithoutAWord(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		var stdout, stderr strings.Builder
		if code := dispatch(args, &stdout, &stderr); code != exitOK ||
			!strings.HasPrefix(stdout.String(), "Usage: ftpd COMMAND") || stderr.String() != "" {
			t.Errorf("ftpd %s: exit %d: %s%s", args, code, &stdout, &stderr)
		}
	}
	var stdout, stderr strings.Builder
	if code := dispatch([]string{"help", "a", "b"}, &stdout, &stderr); code != exitUsage ||
		stdout.String() != "" {
		t.Errorf("two words: exit %d: %s%s", code, &stdout, &stderr)
	}
}

// Boolean options are shown as --write, without the value that they may have.
func TestHelpOfBooleanOptions(t *testing.T) {
	for command, line := range map[string]string{
		"share": "      --write                   let clients",
		"check": "      --json            print ",
		"who":   "      --watch           show ",
	} {
		var stdout, stderr strings.Builder
		dispatch([]string{command, "--help"}, &stdout, &stderr)
		if !strings.Contains(stdout.String(), line) || strings.Contains(stdout.String(), "[=") {
			t.Errorf("ftpd %s --help has no line %q:\n%s%s", command, line, &stdout, &stderr)
		}
	}
}
