package listing

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/vfs"
)

var listNow = time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)

func TestLongFormat(t *testing.T) {
	file := vfs.Entry{
		Name: "f", Mode: 0o644, Size: 12, ModTime: listNow.Add(-time.Hour), Links: 1,
		UID: 1000, GID: 100,
	}
	with := func(change func(*vfs.Entry)) vfs.Entry {
		e := file
		change(&e)
		return e
	}
	east := time.FixedZone("east", 2*60*60)
	for _, test := range []struct {
		entry vfs.Entry
		zone  *time.Location
		want  string
	}{
		{file, time.UTC, "-rw-r--r--   1 alice    users          12 Jul 15 11:00 "},
		{file, east, "-rw-r--r--   1 alice    users          12 Jul 15 13:00 "},
		{with(func(e *vfs.Entry) { e.Mode = fs.ModeDir | 0o755; e.Links = 1234 }), time.UTC,
			"drwxr-xr-x 1234 alice    users          12 Jul 15 11:00 "},
		{with(func(e *vfs.Entry) { e.Size = 5_000_000_000_000 }), time.UTC,
			"-rw-r--r--   1 alice    users    5000000000000 Jul 15 11:00 "},
		// Six months, and the future, show the year instead of the hour.
		{with(func(e *vfs.Entry) { e.ModTime = listNow.Add(-halfYear + time.Second) }), time.UTC,
			"-rw-r--r--   1 alice    users          12 Jan 14 00:00 "},
		{with(func(e *vfs.Entry) { e.ModTime = listNow.Add(-halfYear) }), time.UTC,
			"-rw-r--r--   1 alice    users          12 Jan 14  2026 "},
		{with(func(e *vfs.Entry) { e.ModTime = listNow.Add(time.Second) }), time.UTC,
			"-rw-r--r--   1 alice    users          12 Jul 15 12:00 "},
		{with(func(e *vfs.Entry) { e.ModTime = listNow.Add(time.Hour) }), time.UTC,
			"-rw-r--r--   1 alice    users          12 Jul 15  2026 "},
		{with(func(e *vfs.Entry) {
			e.ModTime = time.Date(1601, 1, 2, 0, 0, 0, 0, time.UTC)
		}), time.UTC,
			"-rw-r--r--   1 alice    users          12 Jan  2  1601 "},
		{with(func(e *vfs.Entry) { e.ModTime = time.Time{} }), time.UTC,
			"-rw-r--r--   1 alice    users          12 Jan  1     1 "},
		// An entry that could not be described has all columns.
		{vfs.Entry{Name: "f", Mode: fs.ModeDir, Unknown: fs.ErrPermission}, east,
			"d---------   1 alice    users           0 Jan  1  1970 "},
		{vfs.Entry{Name: "f", Mode: fs.ModeIrregular, Unknown: fs.ErrPermission}, time.UTC,
			"----------   1 alice    users           0 Jan  1  1970 "},
	} {
		format := LongFormat{Zone: test.zone, Now: listNow, Names: aliceAndUsers}
		if got := string(format.Append(nil, &test.entry)); got != test.want {
			t.Errorf("%v:\n%s\n%s", test.entry, got, test.want)
		}
	}
}

func aliceAndUsers(*vfs.Entry) (user, group string) { return "alice", "users" }

func TestMode(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		0:                                  "----------",
		0o777:                              "-rwxrwxrwx",
		0o640:                              "-rw-r-----",
		fs.ModeDir | fs.ModeSticky | 0o777: "drwxrwxrwt",
		fs.ModeDir | fs.ModeSticky | 0o770: "drwxrwx--T",
		fs.ModeSetuid | 0o755:              "-rwsr-xr-x",
		fs.ModeSetuid | 0o655:              "-rwSr-xr-x",
		fs.ModeSetgid | 0o755:              "-rwxr-sr-x",
		fs.ModeSetgid | 0o745:              "-rwxr-Sr-x",
		fs.ModeSymlink | 0o777:             "lrwxrwxrwx",
		fs.ModeNamedPipe | 0o600:           "prw-------",
		fs.ModeSocket | 0o600:              "srw-------",
		fs.ModeDevice | 0o600:              "brw-------",
		fs.ModeDevice | fs.ModeCharDevice:  "c---------",
	} {
		if got := string(appendMode(nil, mode)); got != want {
			t.Errorf("%v is %s, not %s", mode, got, want)
		}
	}
}

func TestFacts(t *testing.T) {
	e := vfs.Entry{
		Name: "x", Mode: fs.ModeSetgid | 0o750, Size: 7, ModTime: listNow,
		Created: listNow.Add(-time.Hour), UID: 5, GID: 6, Dev: 0x801, Ino: 0xabc,
		Granted: config.Full,
	}
	all := FactFormat{Facts: 1<<len(factNames) - 1, Names: aliceAndUsers}
	want := "type=file;size=7;modify=20260715120000;create=20260715110000;perm=adfrw;" +
		"unique=801gabc;unix.mode=02750;unix.uid=5;unix.gid=6;unix.owner=alice;unix.group=users; "
	if got := string(all.Append(nil, &e)); got != want {
		t.Errorf("%s\n%s", got, want)
	}
	e.Created = time.Time{}
	want = strings.Replace(want, "create=20260715110000;", "", 1)
	if got := string(all.Append(nil, &e)); got != want {
		t.Errorf("%s\n%s", got, want)
	}
	for mode, want := range map[fs.FileMode]string{
		0: "type=file;perm=adfrw; ", fs.ModeDir: "type=dir;perm=cdeflmp; ",
		fs.ModeIrregular: "perm=df; ",
	} {
		e := vfs.Entry{Mode: mode, Granted: config.Full, Unknown: fs.ErrPermission}
		if got := string(all.Append(nil, &e)); got != want {
			t.Errorf("%v of which no more is known: %s", mode, got)
		}
	}
	for rights, want := range map[config.Permissions][2]string{
		0:               {"e", ""},
		config.ReadOnly: {"el", "r"},
		config.DropBox:  {"cem", ""},
		config.Full:     {"cdeflmp", "adfrw"},
	} {
		dir := string(appendPerm(nil, &vfs.Entry{Mode: fs.ModeDir, Granted: rights}))
		file := string(appendPerm(nil, &vfs.Entry{Granted: rights}))
		if dir != want[0] || file != want[1] {
			t.Errorf("%v is perm=%s; for a directory and perm=%s; for a file", rights, dir, file)
		}
	}
}
