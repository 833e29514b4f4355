package listing

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/ftpwire"
	"ftpd/pkg/vfs"
)

// A file has one line in each kind of listing, whatever the file, its owner and its group are
// called and whatever else is known of it. A client finds the columns and the name in the
// line. A second file has a line too, and the lines are in the order of the names.
func FuzzListing(f *testing.F) {
	f.Add("name", "target", "alice", uint32(0o100644), int64(5), int64(1_000_000_000),
		uint16(0xffff))
	f.Add(" leading", "", "a b", uint32(0), int64(-1), int64(-70_000_000_000), uint16(0))
	f.Add("a\r\nb\nc\x00", "-> x", "", uint32(1<<31), int64(1)<<62, int64(1)<<55, uint16(5))
	f.Add("x; y=z", "a\nb", "a;l=i\nce\u00a0", uint32(fs.ModeSymlink|0o777), int64(1),
		int64(1784113200), uint16(7))
	f.Add("-rw-r--r--   1 alice", "", "12345678901234567890", uint32(fs.ModeSetuid|fs.ModeSticky),
		int64(0), int64(1<<40), uint16(1<<8|1))
	f.Fuzz(func(t *testing.T, name, target, owner string, mode uint32, size, at int64,
		chosen uint16) {
		if name == "other" { // the name of the second file
			return
		}
		e := vfs.Entry{
			Name: name, Target: target, Mode: fs.FileMode(mode), Size: size, Links: 1, UID: 7,
			GID: uint32(at), Dev: uint64(size), Ino: uint64(at),
			ModTime: time.Unix(at>>1, 0), Created: time.Unix(size>>1, 0),
		}
		owners := &Owners{known: nameTable{map[uint32]string{}, map[uint32]string{}}}
		remember(owners.known.users, []uint32{7}, map[uint32]string{7: owner})
		long := &LongFormat{Zone: time.UTC, Now: listNow, Names: owners.Of}
		facts := &FactFormat{
			Facts: Facts(int(chosen) & (1<<len(factNames) - 1)),
			Names: owners.Of,
		}
		listed := map[string]string{}
		for kind, l := range map[string]*Lister{
			"LIST": {Before: long.Append, Arrows: true},
			"MLSD": {Before: facts.Append},
			"NLST": {Prefix: target + "/"},
		} {
			l.addLine(&vfs.Entry{Name: "other"})
			l.addLine(&e)
			listed[kind] = second(t, l)
		}
		if got := listed["NLST"]; got != shownAs(target+"/"+name) {
			t.Errorf("NLST: %q in %q is %q", name, target, got)
		}
		checkLong(t, listed["LIST"], &e, owner)
		checkFacts(t, listed["MLSD"], &e, facts)
		reply := ftpwire.Reply{Code: 250, Text: []string{
			"Listing " + name, string(facts.Append([]byte{' '}, &e)) + name, "End",
		}}
		lines := strings.Split(string(reply.Append(nil)), "\r\n")
		if len(lines) != 4 || !strings.HasPrefix(lines[1], " ") {
			t.Fatalf("MLST: %q", lines)
		}
		// the byte 255 is written twice over Telnet
		checkFacts(t, strings.ReplaceAll(lines[1][1:], "\xff\xff", "\xff"), &e, facts)
	})
}

// shownAs returns a name with "?" for what would end its line.
func shownAs(name string) string {
	return strings.NewReplacer("\r", "?", "\n", "?", "\x00", "?").Replace(name)
}

// second returns the line of the second entry. It fails t unless both entries have a line in
// the order of their names.
func second(t *testing.T, l *Lister) string {
	t.Helper()
	var text, names []string
	for _, line := range l.sorted() {
		text = append(text, string(l.text[line.start:line.end]))
		names = append(names, string(l.text[line.name:line.end]))
	}
	lines := strings.SplitAfter(strings.Join(text, ""), "\r\n")
	if len(lines) != 3 || lines[2] != "" || !slices.IsSorted(names) {
		t.Fatalf("not two lines, or not sorted: %q", lines)
	}
	mine := slices.IndexFunc(lines, func(line string) bool {
		return !strings.HasSuffix(line, " other\r\n") && !strings.HasSuffix(line, "/other\r\n")
	})
	if mine < 0 || mine > 1 {
		mine = 0 // the second entry has such a name, too
	}
	return strings.TrimSuffix(lines[mine], "\r\n")
}

// longLine matches a line of LIST as clients split it.
var longLine = regexp.MustCompile(`^([-dlpscb][-rwxsStT]{9}) +(\d+) ([^ ]+) +([^ ]+) +(-?\d+) ` +
	`(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 1-3]\d ` +
	`(\d\d:\d\d| +-?\d+) ((?s).*)$`)

func checkLong(t *testing.T, line string, e *vfs.Entry, owner string) {
	t.Helper()
	parts := longLine.FindStringSubmatch(line)
	if parts == nil {
		t.Errorf("LIST of %q: no such columns: %q", e.Name, line)
		return
	}
	want := shownAs(e.Name)
	if e.Target != "" {
		want += " -> " + shownAs(e.Target)
	}
	if parts[8] != want || parts[5] != strconv.FormatInt(e.Size, 10) ||
		strings.ContainsAny(line, "\r\n\x00") {
		t.Errorf("LIST of %q: %q", e.Name, parts)
	}
	if parts[3] != owner && parts[3] != "7" || parts[4] != fmt.Sprint(e.GID) {
		t.Errorf("LIST of %q's: %q", owner, parts)
	}
	plain := strings.NewReplacer("s", "x", "S", "-", "t", "x", "T", "-").Replace(parts[1][1:])
	if plain != e.Mode.Perm().String()[1:] {
		t.Errorf("LIST of %v: %q", e.Mode, parts[1])
	}
}

// checkFacts reads an entry as RFC 3659 §7.2 writes it: facts that end with a semicolon each,
// a blank, the name.
func checkFacts(t *testing.T, line string, e *vfs.Entry, format *FactFormat) {
	t.Helper()
	facts, name, ok := strings.Cut(line, " ")
	if !ok || name != shownAs(e.Name) || strings.ContainsAny(line, "\r\n\x00") {
		t.Errorf("facts of %q: %q", e.Name, line)
	}
	var got []string
	for fact := range strings.SplitAfterSeq(facts, ";") {
		if fact == "" {
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSuffix(fact, ";"), "=")
		if !ok || !strings.HasSuffix(fact, ";") ||
			strings.Contains(strings.TrimPrefix(value, "OS.unix="), "=") {
			t.Errorf("facts of %q: %q in %q", e.Name, fact, line)
		}
		got = append(got, key)
		exact := map[string]string{
			"size":      strconv.FormatInt(e.Size, 10),
			"unix.mode": fmt.Sprintf("0%o", vfs.UnixMode(e.Mode)),
		}
		if want, known := exact[key]; known && value != want {
			t.Errorf("facts of %+v: %q", e, fact)
		}
		if (key == "modify" || key == "create") && len(value) != len("20060102150405") {
			t.Errorf("facts of %+v: %q", e, fact)
		}
	}
	var want []string
	missing := map[string]bool{
		"type":   e.Mode == fs.ModeIrregular,
		"size":   e.Mode&fs.ModeSymlink != 0,
		"unique": e.Dev == 0 && e.Ino == 0,
	}
	for i, name := range factNames {
		if format.Facts&(1<<i) != 0 && !missing[name] {
			want = append(want, name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("facts of %q: %q, not %q", e.Name, got, want)
	}
}
