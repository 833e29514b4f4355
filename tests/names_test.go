//go:build linux

package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// byteNames are names that are no UTF-8, have blanks at both ends, or have a meaning for a shell
// or a pattern. The byte 255 is in them, but not twice in a row, which is one byte 255 for
// Telnet. Line ends are tested by the transcripts of pkg/core, since these clients refuse to send
// them.
var byteNames = []string{
	"latin-\xe4\xf6\xfc", "\xff", "y\xffz\xff", "\xc3\x28", "ü日本", " leading", "trailing ", "  ",
	"-dash", "-la", `qu"o"te`, `back\slash`,
	"semi;colon", "equal=sign", "star*", "[x]", "what?", "$(id)", "a -> b", "tab\there",
	"esc\x1b[0m\x7f", "\x01\x1f", "...", "250 done",
}

func TestNamesWithFtplib(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	s, dir := share(t, "--write")
	host, port, _ := strings.Cut(s.addr, ":")
	args := []string{"testdata/ftplib_names.py", host, port, "anonymous", "guest"}
	for _, name := range byteNames {
		writeFile(t, filepath.Join(dir, name), "some text", 0o666)
		args = append(args, fmt.Sprintf("%x", name))
	}
	command(t, "", "python3", args...)
	for _, name := range byteNames {
		if got := readFile(t, filepath.Join(dir, name)); got != "third text" {
			t.Errorf("%q holds %q", name, got)
		}
	}
	checkNames(t, dir, append([]string{"hello.txt"}, byteNames...))
}

func TestNamesWithCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s, dir := share(t, "--write")
	want := []string{"hello.txt"}
	for _, name := range byteNames {
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
			continue // curl refuses those
		}
		url := "ftp://" + s.addr + "/"
		for _, c := range []byte(name) {
			url += fmt.Sprintf("%%%02x", c)
		}
		command(t, "text of "+name, "curl", "--silent", "--show-error", "--upload-file", "-", url)
		if got := command(t, "", "curl", "--silent", "--show-error", url); got != "text of "+name {
			t.Errorf("%q holds %q", name, got)
		}
		want = append(want, name)
	}
	checkNames(t, dir, want)
}

// checkNames checks that exactly these files exist.
func checkNames(t *testing.T, dir string, names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(names) {
		t.Errorf("%d files, not %d: %v %q", len(entries), len(names), err, entries)
	}
	for _, name := range names {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%q is not there: %v", name, err)
		}
	}
}

// TestPatternsWithTnftp covers mget and mdelete: the server expands their patterns, and tnftp
// uses each name in the reply as a pathname.
func TestPatternsWithTnftp(t *testing.T) {
	t.Parallel()
	need(t, "tnftp")
	s, dir := share(t, "--write")
	host, port, _ := strings.Cut(s.addr, ":")
	into := t.TempDir()
	for _, d := range []string{filepath.Join(dir, "sub"), filepath.Join(into, "sub")} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.txt", "b c.txt", "d.log"} {
		writeFile(t, filepath.Join(dir, "sub", name), name, 0o666)
	}
	cmd := exec.Command("tnftp", "-n", "-i", "-v", "-P", port, host)
	cmd.Dir = into
	cmd.Stdin = strings.NewReader("user anonymous guest\nmget hello*\nmget sub/*.txt\nmget sub/none*\nmdelete sub/*.l?g\nbye\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, want := range map[string]string{"hello.txt": "hello\n", "sub/a.txt": "a.txt",
		"sub/b c.txt": "b c.txt"} {
		if got, err := os.ReadFile(filepath.Join(into, name)); string(got) != want {
			t.Errorf("%s holds %q, %v\n%s", name, got, err, out)
		}
	}
	checkNames(t, filepath.Join(dir, "sub"), []string{"a.txt", "b c.txt"})
}
