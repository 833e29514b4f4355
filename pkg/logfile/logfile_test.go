package logfile

import (
	"os"
	"path/filepath"
	"testing"
)

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// After a rotation, with or without a new file at the path, each line goes to the file at the
// path.
func TestFileIsOpenedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(line string) {
		if n, err := f.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("%q: %d, %v", line, n, err)
		}
	}
	write("one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("two\n")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the new file: %v, %v", info.Mode(), err)
	}
	other := path + ".other"
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	if got := content(t, path+".1"); got != "before\none\n" {
		t.Errorf("the old file has %q", got)
	}
	if got := content(t, path); got != "three\n" {
		t.Errorf("the file has %q", got)
	}
}

// While the directory of the path is missing, lines go to the old file.
func TestFileCannotBeOpenedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := Open(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("line\n")); err != nil {
		t.Error(err)
	}
	if got := content(t, filepath.Join(dir+".moved", "log")); got != "line\n" {
		t.Errorf("the file has %q", got)
	}
}
