package listing

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ftpd/pkg/config"
	"ftpd/pkg/vfs"
)

// A Source is a directory, a file, a link that leads nowhere, or the matches of a pattern.
func TestSource(t *testing.T) {
	home := t.TempDir()
	for _, name := range []string{"a.txt", "b.txt", "[c]"} {
		if err := os.WriteFile(filepath.Join(home, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := vfs.Open(vfs.Options{
		Mounts: []config.Mount{{Path: "/", Directory: home}},
		Rights: config.Rights{Base: config.Full},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	for arg, want := range map[string][]string{
		"":         {"[c]", "a.txt", "b.txt"},
		"a.txt":    {"a.txt"},
		"*.txt":    {"a.txt", "b.txt"},
		"[c]":      {"[c]"}, // a file of this name is no pattern
		"[b].txt":  {"b.txt"},
		"*.jpg":    nil,
		"missing":  nil,
		"/a.txt/*": nil,
	} {
		var from Source
		var err error
		if p, ok := FindPattern(files, arg, "/"+arg); ok {
			from, err = OpenMatches(files, "/"+p.Dir, p, vfs.NamesOnly)
		} else {
			from, err = Open(files, "/"+arg, vfs.NamesOnly)
		}
		if err != nil {
			if want != nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrNotDir) {
				t.Errorf("%q: %v", arg, err)
			}
			continue
		}
		var got []string
		for err == nil {
			var batch []vfs.Entry
			batch, err = from.Next()
			for _, e := range batch {
				got = append(got, e.Name)
			}
		}
		from.Close()
		slices.Sort(got)
		if err != io.EOF || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", arg, got, err)
		}
	}
}

func TestCutOptions(t *testing.T) {
	isFile := func(arg string) bool { return arg == "-a file" }
	for _, test := range []struct {
		arg, name, behind string
		classify          bool
	}{
		{"f", "f", "f", false},
		{"-la", "", "", false},
		{"-lF dir", "dir", "dir", true},
		{"-l -F d e", "d e", "d e", true},
		{"--Full dir", "dir", "dir", false},
		{"-l -a file", "-a file", "file", false},
		{"-[a] f", "-[a] f", "-[a] f", false},
		{"", "", "", false},
	} {
		name, classify := CutOptions(test.arg, isFile)
		if behind := BehindOptions(test.arg); name != test.name || classify != test.classify ||
			behind != test.behind {
			t.Errorf("%q: %q, %v; %q", test.arg, name, classify, behind)
		}
	}
}
