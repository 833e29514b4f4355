package sandbox

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain opens roots in a process of its own, as ftpd does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == OpenCommand {
		if err := ServeOpen(os.Args[2:]); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func openRoots(t *testing.T, paths ...string) []Root {
	t.Helper()
	roots, err := Look(t.Context(), paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(roots) })
	return roots
}

// A confined process reaches its roots and nothing else, even if the user could reach more, and
// it runs only its own program.
func TestStart(t *testing.T) {
	if layers := Probe(); layers.Landlock == "" {
		t.Skip(layers.Missing)
	}
	dir := t.TempDir()
	probe := filepath.Join(dir, "probe")
	build := exec.Command("go", "build", "-o", probe, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // a dynamic program would need the loader
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	served, shown, other := filepath.Join(dir,
		"served"), filepath.Join(dir, "shown"), filepath.Join(dir, "other")
	for _, d := range []string{served, filepath.Join(served, "sub"), shown, other} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"read " + served + "/file: ok",
		"write " + served + "/new: ok",
		"move " + served + "/new " + served + "/sub/new: ok",
		"list " + shown + ": ok",
		"read " + shown + "/file: ok",
		"write " + shown + "/new: refused",
		"read " + other + "/file: refused",
		"list " + other + ": refused",
		"read /etc/passwd: refused",
		"run /bin/true: refused",
	}
	var tries []string
	for _, w := range want {
		tries = append(tries, w[:strings.LastIndex(w, ":")])
	}
	roots := openRoots(t, served, filepath.Join(dir, "absent"), shown)
	if absent := roots[1].Err; !errors.Is(absent, fs.ErrNotExist) {
		t.Errorf("a root that is not there: %v", absent)
	}
	confined := run(t, probe, tries, Confinement{Roots: roots[:2], Shown: roots[2:]})
	if got := strings.Split(confined, "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("confined:\n%s\nwant:\n%s", confined, strings.Join(want, "\n"))
	}
	if bare := run(t, probe, tries, Confinement{Bare: true}); strings.Contains(bare, "refused") {
		t.Errorf("the same without Landlock is refused too, so the test shows nothing:\n%s", bare)
	}
}

func run(t *testing.T, probe string, tries []string, c Confinement) string {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var out bytes.Buffer
	cmd := exec.Command(probe, tries...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = null, &out, &out
	if _, err := Start(cmd, c); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return strings.TrimSpace(out.String())
}
