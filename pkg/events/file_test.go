package events

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
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
	f, err := OpenFile(path)
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
	f, err := OpenFile(filepath.Join(dir, "log"))
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

func TestTransferLog(t *testing.T) {
	at := time.Date(2027, 2, 3, 4, 5, 6, 0, time.UTC)
	remote := netip.MustParseAddrPort("[::ffff:192.0.2.1]:4000")
	for _, test := range []struct {
		record Record
		want   string
	}{
		{
			Record{
				Event: Event{
					Kind: Upload, Path: "/a b\n", Host: "/home/alice/a b\n", Bytes: 12,
					Took: 1600 * time.Millisecond,
				},
				Name: "alice", Remote: remote,
			},
			"Wed Feb  3 04:05:06 2027 2 192.0.2.1 12 /home/alice/a_b_ b _ i r alice ftp 0 * c\n",
		},
		{
			Record{
				Event: Event{Kind: DownloadIncomplete, Path: `/ü\`, ASCII: true},
				Name:  "anonymous", Remote: remote,
			},
			"Wed Feb  3 04:05:06 2027 0 192.0.2.1 0 /ü\\ a _ o a anonymous ftp 0 * i\n",
		},
		{Record{Event: Event{Kind: Login}}, ""},
	} {
		var out bytes.Buffer
		l := NewTransferLog(&out, time.UTC)
		l.now = func() time.Time { return at }
		l.Write(test.record)
		if out.String() != test.want {
			t.Errorf("got  %q\nwant %q", out.String(), test.want)
		}
	}
}
