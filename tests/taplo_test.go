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

	"ftpd/pkg/config"
)

// TestTaplo checks that Taplo, the TOML checker of editors, accepts etc/ftpd.toml as shipped and with every
// commented-out key and table active, and that it refuses a wrong key and a wrong value. Taplo finds the schema
// by the first line of the file.
func TestTaplo(t *testing.T) {
	t.Parallel()
	taplo := filepath.Join(nodeModules(), ".bin/taplo")
	if _, err := os.Stat(taplo); err != nil {
		t.Skip("needs taplo; run: scripts/needs test && make system")
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ftpd.schema.json"), string(config.Schema()), 0o600)
	shipped := readFile(t, "../etc/ftpd.toml")
	if !strings.HasPrefix(shipped, "#:schema /usr/share/ftpd/ftpd.schema.json\n") {
		t.Fatal("etc/ftpd.toml does not name its schema in the first line")
	}
	shipped = strings.Replace(shipped, "/usr/share/ftpd", dir, 1)
	active := regexp.MustCompile(`(?m)^#([a-z_]+ =)`).ReplaceAllString(shipped, "$1")
	active = regexp.MustCompile(`(?m)^# ( *(\[\[[a-z.]+\]\]$|[a-z_]+ = ))`).ReplaceAllString(active,
		"$1")
	wrongKey := strings.Replace(active, "\nidle_timeout =", "\nidle_timout =", 1)
	wrongValue := strings.Replace(active, "\numask = \"022\"", "\numask = \"089\"", 1)
	for _, test := range []struct {
		texts, refusals []string
	}{
		{[]string{shipped, active}, nil},
		{[]string{wrongKey, wrongValue},
			[]string{"'idle_timout' was unexpected", "\"089\" does not match"}},
	} {
		args := []string{"lint", "--colors", "never"}
		for i, text := range test.texts {
			file := filepath.Join(dir, fmt.Sprintf("%d-%d.toml", len(test.refusals), i))
			writeFile(t, file, text, 0o600)
			args = append(args, file)
		}
		cmd := exec.CommandContext(t.Context(), taplo, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if (err == nil) != (test.refusals == nil) {
			t.Errorf("%v\n%s", err, out)
		}
		for _, refusal := range test.refusals {
			if !strings.Contains(string(out), refusal) {
				t.Errorf("the output of taplo does not contain %s:\n%s", refusal, out)
			}
		}
	}
}
