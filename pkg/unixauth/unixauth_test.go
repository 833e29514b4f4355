//go:build !windows

package unixauth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The helper runs as root, so it must come from the directory of the program, never from a
// place that a user may choose.
func TestFind(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(self), "ftpd-auth")
	elsewhere := t.TempDir()
	t.Chdir(elsewhere)
	t.Setenv("PATH", elsewhere)
	for _, step := range []struct {
		file string
		mode os.FileMode
		want bool
	}{
		{filepath.Join(elsewhere, "ftpd-auth"), 0o755, false},
		{beside, 0o644, false},
		{beside, 0o755, true},
	} {
		if err := os.WriteFile(step.file, nil, step.mode); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(step.file) })
		if err := os.Chmod(step.file, step.mode); err != nil {
			t.Fatal(err)
		}
		path, err := Find()
		if (path == beside) != step.want || strings.HasPrefix(path, elsewhere) ||
			path == "" && err == nil {
			t.Errorf("with %s %v: %q, %v", step.file, step.mode, path, err)
		}
	}
}
