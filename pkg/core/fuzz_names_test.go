package core

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"ftpd/pkg/ftpwire"
)

// Listings show the whole name of every file, and a client that sends this name reaches the
// file. Names are bytes. Only bytes that would end a line are shown in another way, and only a
// line feed cannot be sent.
func FuzzFileName(f *testing.F) {
	for _, name := range []string{
		"plain", " leading", "trailing ", "  ", "\t", "latin1 \xfc", "\xff\xffdoubled\xff",
		"\xff\xf4ABOR", "a\rb", "a\r", "\r", "-la",
		"*.txt", "[a-", `back\slash`, `"quoted"`,
		"ünïcode", "20200101000000 x", "UTC", "a -> b", "type=dir; x", "...", ".hidden", "\x01\x7f",
		strings.Repeat("ÿ", 127),
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00\n") {
			return
		}
		synctest.Test(t, func(t *testing.T) { reach(t, name) })
	})
}

func reach(t *testing.T, name string) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.supervisor.home, name), []byte("inside"),
		0o644); err != nil {
		return // the file system has no such names
	}
	c := w.connect()
	heard(c)
	say(t, c, loggedIn)
	telnet := strings.NewReplacer("\xff", "\xff\xff")
	said, shown := telnet.Replace(name), telnet.Replace(shownAs(name))
	for _, line := range []struct{ command, want string }{
		{"SIZE " + said, "213 6\r\n"},
		{"MLST " + said, "; /" + shown + "\r\n250 "},
		{"STAT " + said, " " + shown + "\r\n213 "},
		{"RNFR " + said, "350 "},
		{"XMKD " + said, "550 "},
	} {
		if got := say(t, c, line.command); !strings.Contains(got, line.want) {
			t.Errorf("%q is answered %q", line.command, got)
		}
	}
	for verb, before := range map[string]string{"NLST": "", "LIST": " ", "MLSD": "; "} {
		lines := w.listing(t, c, verb)
		if len(lines) != 1 || !strings.HasSuffix(lines[0], before+shownAs(name)) ||
			verb == "NLST" && lines[0] != shownAs(name) {
			t.Errorf("%s of %q: %q", verb, name, lines)
		}
	}
	if got := say(t, c, "DELE "+said); !strings.HasPrefix(got, "250 ") {
		t.Errorf("DELE %q is answered %q", said, got)
	}
	if entries, err := os.ReadDir(w.supervisor.home); err != nil || len(entries) > 0 {
		t.Errorf("%q is still there: %v, %v", name, entries, err)
	}
	c.Close()
	w.sessions.Wait()
	w.leftNothing(t)
}

// shownAs returns a name in the form of listings and replies.
func shownAs(name string) string { return string(ftpwire.AppendName(nil, name)) }
