//go:build linux

package tests

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A probe tests how the service behaves on one file system.
type probe struct {
	t     *testing.T
	stage *stage
	c     *client // its home is an entry of server.roots
	below *client // the same home, below such an entry and with min_free_space
}

// A column is a column of the table, with the function that returns its cells.
type column struct {
	name    string
	changes bool // a file system that is read only has no such cell
	cell    func(*probe) string
}

var columns = []column{
	{"works", false, (*probe).works},
	{"full disk", true, (*probe).fullDisk},
	{"226 means stored", true, (*probe).stored},
	{"times", true, (*probe).times},
	{"`SITE CHMOD`", true, (*probe).modes},
	{"another's private file", false, (*probe).rights},
	{"`min_free_space`", true, (*probe).freeSpace},
	{"names", true, (*probe).names},
}

// cells returns a row of the table.
func (p *probe) cells() (row []string) {
	for _, column := range columns {
		cell := "–"
		if !column.changes || !p.readOnly() {
			cell = column.cell(p)
		}
		row = append(row, cell)
	}
	return row
}

// thereText is the content of the file "there" on a read-only file system.
const thereText = "there\n"

func (p *probe) path(name string) string { return filepath.Join(p.stage.home(), name) }

// code returns the code of the reply to a command without data.
func (p *probe) code(line string) int {
	p.t.Helper()
	r, err := p.c.do(line)
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return r.code
}

// store uploads as much as the server accepts, and returns the last reply.
func (p *probe) store(line, data string) reply {
	p.t.Helper()
	return p.send(p.c, line, data)
}

func (p *probe) send(c *client, line, data string) reply {
	p.t.Helper()
	conn, err := c.passive()
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	r, err := c.do(line)
	if err == nil && r.code < 200 {
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, data) // its error is in the reply
		conn.Close()
		r, err = c.reply()
	}
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return r
}

// stores reports whether an upload succeeds and leaves the content.
func (p *probe) stores(line, data, name, want string) bool {
	p.t.Helper()
	return p.store(line, data).code == 226 && p.has(name, want)
}

// has reports whether a download succeeds and has the content.
func (p *probe) has(name, want string) bool {
	got, r, err := p.c.retrieve("RETR " + name)
	return err == nil && r.code == 226 && got == want
}

// renames reports whether a file can be renamed and keeps its content.
func (p *probe) renames(from, to string) bool {
	return p.stores("STOR "+from, "renamed", from, "renamed") &&
		p.code("RNFR "+from) == 350 && p.code("RNTO "+to) == 250 &&
		p.has(to, "renamed") && p.code("SIZE "+from) == 550
}

var mebibyte = strings.Repeat("0123456789abcdef", 1<<16)

const half = 1 << 19

// operations are the operations of users.
var operations = []struct {
	name string
	does func(*probe) bool
}{
	{"upload", func(p *probe) bool { return p.stores("STOR a", mebibyte, "a", mebibyte) }},
	{"empty file", func(p *probe) bool { return p.stores("STOR empty", "", "empty", "") }},
	{"overwrite", func(p *probe) bool { return p.stores("STOR a", "short", "a", "short") }},
	{"append", func(p *probe) bool {
		return p.stores("STOR b", "short", "b", "short") && p.stores("APPE b", "er", "b", "shorter")
	}},
	{"resumed upload", func(p *probe) bool {
		return p.stores("STOR c", mebibyte[:half], "c", mebibyte[:half]) &&
			p.code(fmt.Sprint("REST ", half)) == 350 &&
			p.stores("STOR c", mebibyte[half:], "c", mebibyte)
	}},
	{"resumed download", func(p *probe) bool {
		return p.stores("STOR d", mebibyte, "d", mebibyte) &&
			p.code(fmt.Sprint("REST ", half)) == 350 && p.has("d", mebibyte[half:])
	}},
	{"STOU", func(p *probe) bool { return p.store("STOU", "unique").code == 226 }},
	{"MKD", func(p *probe) bool {
		return p.code("MKD dir") == 257 && p.code("CWD dir") == 250 && p.code("CDUP") == 250
	}},
	{"rename", func(p *probe) bool { return p.renames("e", "dir/f") }},
	{"rename over a file", func(p *probe) bool {
		return p.stores("STOR g", "old", "g", "old") && p.renames("e", "g")
	}},
	{"rename of a directory", func(p *probe) bool {
		return p.code("RNFR dir") == 350 && p.code("RNTO moved") == 250 &&
			p.code("SIZE moved/f") == 213
	}},
	{"DELE", func(p *probe) bool {
		return p.code("DELE moved/f") == 250 && p.code("SIZE moved/f") == 550
	}},
	{"RMD", func(p *probe) bool {
		return p.code("RMD moved") == 250 &&
			p.code("CWD moved") == 550
	}},
	{"listing", (*probe).listsAll},
}

// listsAll reports whether a large directory is listed whole.
func (p *probe) listsAll() bool {
	const files = 300
	if err := os.Mkdir(p.path("many"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	for i := range files {
		writeFile(p.t, p.path(fmt.Sprint("many/file-", i)), "", 0o644)
	}
	return !slices.ContainsFunc([]string{"MLSD", "LIST", "NLST"}, func(verb string) bool {
		list, r, err := p.c.retrieve(verb + " many")
		return err != nil || r.code != 226 || strings.Count(list, "file-") != files
	})
}

func (p *probe) works() string {
	if p.readOnly() {
		return p.worksReadOnly()
	}
	var failed []string
	for _, op := range operations {
		if !op.does(p) {
			failed = append(failed, op.name)
		}
	}
	if len(failed) > 0 {
		return "not: " + strings.Join(failed, ", ")
	}
	return "all"
}

func (p *probe) worksReadOnly() string {
	list, r, err := p.c.retrieve("LIST")
	listed := err == nil && r.code == 226 && strings.Contains(list, " there\r\n")
	if !listed || !p.has("there", thereText) {
		return "nothing"
	}
	codes := map[int]bool{}
	p.code("RNFR there")
	for _, line := range []string{
		"RNTO new", "STOR new", "STOR there", "APPE there", "MKD new", "DELE there",
		"MFMT 20010203040506 there", "SITE CHMOD 600 there",
	} {
		codes[p.code(line)] = true
	}
	return "downloads and listings; all else is " + codeList(codes)
}

func codeList(codes map[int]bool) string {
	var list []string
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		list = append(list, strconv.Itoa(code))
	}
	return strings.Join(list, " or ")
}

func (p *probe) readOnly() bool { return p.statfs().Flags&unix.ST_RDONLY != 0 }

func (p *probe) statfs() (st unix.Statfs_t) {
	if err := unix.Statfs(p.stage.home(), &st); err != nil {
		p.t.Fatal(err)
	}
	return st
}

// pattern is larger than the space of any stage.
var pattern = strings.Repeat(mebibyte, spaceMiB+4)

// free returns the space that is free for users.
func (p *probe) free() int64 {
	st := p.statfs()
	return int64(st.Bavail) * st.Frsize
}

// mayLack ends a cell that a race decides on some file systems.
const mayLack = "; a resumed upload may lack bytes"

// leftBytes is about the space that fillUp leaves free.
const (
	leftBytes = 5 << 20
	fillers   = 3 // files: a file system may show late how full it is
)

func (p *probe) fillUp() {
	for i := range fillers {
		if size := p.free() - leftBytes; size > 1<<20 {
			p.store(fmt.Sprint("STOR filler", i), pattern[:min(size, int64(len(pattern)))])
		}
		if dir, err := os.Open(p.stage.home()); err == nil {
			unix.Syncfs(int(dir.Fd()))
			dir.Close()
		}
	}
}

// fullDisk uploads more than there is space for, then a small file, which still has room in
// memory, and resumes the first upload when there is space again.
func (p *probe) fullDisk() string {
	p.fillUp()
	whole := pattern[:leftBytes+3<<20]
	large := p.store("STOR full", whole)
	small := p.store("STOR small", mebibyte)
	cell := fmt.Sprint(large.code)
	lost := large.code == 226 && !p.keeps("full", whole) ||
		small.code == 226 && !p.keeps("small", mebibyte)
	if lost {
		cell += ", and bytes are lost"
	}
	for i := range fillers {
		p.code(fmt.Sprint("DELE filler", i))
	}
	if large.code != 226 && p.resumes("full", whole) && !p.keeps("full", whole) {
		cell += mayLack
	}
	p.code("DELE full")
	p.code("DELE small")
	eventually(p.t, "there is space again", func() bool {
		return p.stores("STOR after", mebibyte, "after", mebibyte)
	})
	return cell
}

// resumes continues an upload from the size that SIZE shows, as clients do, and reports whether
// the reply is 226.
func (p *probe) resumes(name, whole string) bool {
	size := p.c.expect(p.t, 213, "SIZE "+name).text
	there, err := strconv.Atoi(size)
	if err != nil || there > len(whole) {
		p.t.Fatalf("SIZE %s: %s", name, size)
	}
	p.code(fmt.Sprint("REST ", there))
	return p.store("STOR "+name, whole[there:]).code == 226
}

// keeps reports whether a file has the content where it does not come from the kernel's cache.
func (p *probe) keeps(name, want string) bool {
	file, err := os.Open(p.path(name))
	if err != nil {
		return false
	}
	defer file.Close()
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		p.t.Fatal(err)
	}
	return p.has(name, want)
}

// stored looks for a file of that size, or a little larger where it is encrypted, in the
// underlying file system at the moment of the 226.
func (p *probe) stored() string {
	const size = 300_001
	if _, err := os.Stat(p.stage.below()); err != nil {
		return "yes" // there is none below
	}
	p.store("STOR stored", mebibyte[:size])
	found := "no"
	filepath.WalkDir(p.stage.below(), func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // removed meanwhile
		}
		if info, err := d.Info(); err == nil && info.Size() >= size && info.Size() < size+10_000 {
			found = "yes"
		}
		return nil
	})
	return found
}

// stamps are times in years in which the range of some file system ends.
var stamps = []string{
	"00010203040507", "16020203040507", "16780203040507", "19020203040507", "19700203040507",
	"19800203040507", "20010203040507", "20370203040507", "21050203040507", "21070203040507",
	"22610203040507", "24460203040507", "24860203040507", "99990203040507",
}

// times returns the times that MFMT can set, as MDTM shows them or as a later mount does.
func (p *probe) times() string {
	for _, stamp := range stamps {
		p.store("STOR time-"+stamp, "x")
		r := p.c.expect(p.t, 213, "MFMT "+stamp+" time-"+stamp)
		now := p.c.expect(p.t, 213, "MDTM time-"+stamp).text
		if !strings.Contains(r.text, "Modify="+now+";") {
			p.t.Errorf("MFMT %s: %v, and then MDTM: %s", stamp, r, now)
		}
	}
	shown := p.shownTimes()
	low, high := "", ""
	for i, stamp := range stamps {
		if shown[i] == stamp {
			low, high = cmp.Or(low, stamp), stamp
		}
	}
	beyond := map[string]bool{}
	for i, stamp := range stamps {
		switch {
		case shown[i] == stamp:
		case stamp < low && shown[i] < low, stamp > high && shown[i] > high:
			beyond["the nearest"] = true
		default:
			beyond["another"] = true
		}
	}
	cell := low[:4] + "–" + high[:4]
	for _, which := range []string{"another", "the nearest"} {
		if beyond[which] {
			return cell + ", beyond that " + which
		}
	}
	return cell
}

func (p *probe) shownTimes() (shown []string) {
	dir := p.stage.home()
	if p.stage.again != nil {
		var err error
		if dir, err = p.stage.again(); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, stamp := range stamps {
		info, err := os.Stat(filepath.Join(dir, "time-"+stamp))
		if err != nil {
			p.t.Fatal(err)
		}
		shown = append(shown, info.ModTime().UTC().Format("20060102150405"))
	}
	return shown
}

// modes returns the effect of SITE CHMOD, and the owner of a new file where that is not its user.
func (p *probe) modes() string {
	p.store("STOR mode", "x")
	r, err := p.c.do("SITE CHMOD 640 mode")
	if err != nil {
		p.t.Fatal(err)
	}
	st := p.stat("mode")
	cell := "kept"
	if mode := st.Mode & 0o777; mode != 0o640 {
		cell = fmt.Sprintf("%d, it stays %o", r.code, mode)
	}
	if int(st.Uid) != p.stage.uid || int(st.Gid) != p.stage.gid {
		cell += fmt.Sprintf("; new files are of %d:%d", st.Uid, st.Gid)
	}
	return cell
}

// rights returns what a user may do with a file that only root may access.
func (p *probe) rights() string {
	if !p.readOnly() {
		writeFile(p.t, p.path("private"), "private", 0o600)
	}
	if _, r, err := p.c.retrieve("RETR private"); err != nil || r.code == 550 {
		return "refused"
	}
	return "readable"
}

func (p *probe) stat(name string) (st unix.Stat_t) {
	if err := unix.Stat(p.path(name), &st); err != nil {
		p.t.Fatal(err)
	}
	return st
}

// leastMiB is the min_free_space of the service.
const leastMiB = 6

// freeSpace returns the cell of min_free_space. It also checks what must hold where the home is
// below a root.
func (p *probe) freeSpace() string {
	if r := p.send(p.below, "STOR below", mebibyte); r.code != 226 {
		p.t.Errorf("below a root: STOR: %v", r)
	}
	if got, r, err := p.below.retrieve("RETR below"); err != nil || r.code != 226 ||
		got != mebibyte {
		p.t.Errorf("below a root: RETR: %v, %v", r, err)
	}
	r := p.send(p.below, "STOR free", pattern)
	left := p.free()
	p.below.expect(p.t, 250, "DELE free")
	switch {
	case r.code == 452 && left > leastMiB<<20*3/4:
		return "kept"
	case r.code == 452 || r.code == 552:
		return "late"
	}
	return "no"
}

// hardNames are names that some file systems cannot have.
var hardNames = []struct{ shown, name string }{
	{"`:`", "a:b"}, {"`\\`", `a\b`}, {"`*`", "a*b"}, {"`?`", "a?b"}, {"`\"`", `a"b`},
	{"`<`", "a<b"},
	{"`\\|`", "a|b"}, {"a blank at the end", "blank "}, {"a dot at the end", "dot."},
	{"control characters", "a\x01b"}, {"what is not UTF-8", "a\xffb"},
}

// names returns the names that the file system refuses or changes.
func (p *probe) names() string {
	var cells []string
	p.store("STOR letters", "x")
	if p.code("SIZE LETTERS") == 213 {
		cells = append(cells, "case is ignored")
	}
	refused := map[string][]string{}
	for _, n := range hardNames {
		if outcome := p.tryName(n.name); outcome != "" {
			refused[outcome] = append(refused[outcome], n.shown)
		}
	}
	for _, outcome := range slices.Sorted(maps.Keys(refused)) {
		cells = append(cells, strings.Join(refused[outcome], ", ")+": "+outcome)
	}
	outcome := func(length int) string { return p.tryName(strings.Repeat("n", length)) }
	longest := sort.Search(255, func(n int) bool { return outcome(n+1) != "" })
	if longest < 255 {
		cells = append(cells, fmt.Sprintf("more than %d bytes: %s", longest, outcome(longest+1)))
	}
	return cmp.Or(strings.Join(cells, "; "), "all")
}

// tryName returns "" for a name that files and directories can have.
func (p *probe) tryName(name string) string {
	codes := map[int]bool{}
	if r := p.store("STOR "+name, "x"); r.code != 226 {
		codes[r.code] = true
	} else if !p.holds(name) || p.code("DELE "+name) != 250 {
		return "another name"
	}
	if code := p.code("MKD " + name); code != 257 {
		codes[code] = true
	} else if !p.holds(name) || p.code("RMD "+name) != 250 {
		return "another name"
	}
	return codeList(codes)
}

// holds reports whether the home has an entry with exactly that name.
func (p *probe) holds(name string) bool {
	entries, err := os.ReadDir(p.stage.home())
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
}
