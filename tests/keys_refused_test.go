//go:build linux

package tests

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryKeyRefuses checks that a configuration with the wrong values of all rows is refused by a check
// and by a start alike, with one line for each value that names the file, the line and the key. Values that
// the service does not honour are reported as well.
func TestEveryKeyRefuses(t *testing.T) {
	t.Parallel()
	needHelper(t)
	var files []*refusedFile
	add := func(row keyRow, value, why string) {
		for _, f := range files {
			if f.add(row.key, value, why) {
				return
			}
		}
		f := &refusedFile{}
		f.add(row.key, value, why)
		files = append(files, f)
	}
	for _, row := range keyRows() {
		if row.wrongValue != "" {
			add(row, row.wrongValue, "")
		}
		if row.unsupportedValue != "" {
			add(row, row.unsupportedValue, row.unsupportedReason)
		}
	}
	for _, f := range files {
		for _, command := range []string{"check", "serve"} {
			f.expect(t, command)
		}
	}
}

// A refusedFile is a configuration with nothing but wrong values.
type refusedFile struct {
	lines, tables []string // of the file
	keys          []string
	why           []string
}

// refusedItems are [[tables]] with the keys that they need. The wrong key is added, or replaces the key of
// that name.
var refusedItems = map[string]string{
	"user":        "[[user]]\nname = \"%s\"\n",
	"user.rule":   "[[user]]\nname = \"%s\"\n[[user.rule]]\npath = \"/a\"\npermissions = \"full\"\n",
	"user.mount":  "[[user]]\nname = \"%s\"\n[[user.mount]]\npath = \"/a\"\ndirectory = \"/srv/a\"\n",
	"group":       "[[group]]\nname = \"%s\"\n",
	"group.rule":  "[[group]]\nname = \"%s\"\n[[group.rule]]\npath = \"/a\"\npermissions = \"full\"\n",
	"group.mount": "[[group]]\nname = \"%s\"\n[[group.mount]]\npath = \"/a\"\ndirectory = \"/srv/a\"\n",
	"host":        "[[host]]\nname = \"%s.example.org\"\n",
	"hook":        "[[hook]]\non = [\"upload\"]\ncommand = [\"/bin/true\"] # %s\n",
	"site":        "[[site]]\nname = \"%s\"\ncommand = [\"/bin/true\"]\npermission = \"delete\"\n",
}

// add adds a key with a wrong value. It returns false where the file has the key already.
func (f *refusedFile) add(key, value, why string) bool {
	if slices.Contains(f.keys, key) {
		return false
	}
	dot := strings.LastIndexByte(key, '.')
	item, inTable := refusedItems[key[:max(dot, 0)]]
	f.keys = append(f.keys, key)
	f.why = append(f.why, why)
	if !inTable {
		f.lines = append(f.lines, key+" = "+value)
		return true
	}
	item = fmt.Sprintf(item, fmt.Sprintf("w%d", len(f.keys)))
	name := key[dot+1:]
	lines := strings.Split(strings.TrimSpace(item), "\n")
	header := 0
	for i, line := range lines {
		if strings.HasPrefix(line, "[[") {
			header = i
		}
	}
	lines = slices.DeleteFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, name+" = ") && slices.Index(lines, line) > header
	})
	f.tables = append(f.tables, append(lines, name+" = "+value)...)
	return true
}

// expect checks that the output has one line for each key.
func (f *refusedFile) expect(t *testing.T, command string) {
	t.Helper()
	all := append(slices.Clone(f.lines), f.tables...)
	path := filepath.Join(t.TempDir(), "ftpd.toml")
	writeFile(t, path, strings.Join(all, "\n")+"\n", 0o600)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "ftpd"), command, "--config", path)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("ftpd %s: exit %d", command, code)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(f.keys) {
		t.Errorf("ftpd %s: %d lines for %d keys", command, len(lines), len(f.keys))
	}
	for i, key := range f.keys {
		table, _, _ := strings.Cut(key, ".")
		pattern := regexp.QuoteMeta(path) + `:(\d+): (?:warning: )?` + regexp.QuoteMeta(key) +
			`: .*` + f.why[i]
		if (table == "hook" || table == "site") && f.why[i] != "" {
			pattern = regexp.QuoteMeta(path) + `:(\d+): ` + table + `: ` + f.why[i]
		}
		found := regexp.MustCompile(pattern)
		if !slices.ContainsFunc(lines, func(line string) bool {
			m := found.FindStringSubmatch(line)
			return m != nil && f.has(all, m[1], key)
		}) {
			t.Errorf("ftpd %s: no line for %s", command, key)
		}
	}
	if t.Failed() {
		t.Log(string(out))
	}
}

// has reports whether the line of the file with that number sets the key, or begins its table.
func (f *refusedFile) has(all []string, number, key string) bool {
	var n int
	fmt.Sscan(number, &n)
	if n < 1 || n > len(all) {
		return false
	}
	line, dot := all[n-1], strings.LastIndexByte(key, '.')
	return strings.HasPrefix(line, key+" = ") || strings.HasPrefix(line, key[dot+1:]+" = ") ||
		line == "[["+key[:max(dot, 0)]+"]]"
}
