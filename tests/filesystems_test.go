//go:build linux

package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const fileSystemsDocument = "../docs/filesystems.md"

// TestFileSystems checks that each file system behaves as the table of docs/filesystems.md
// documents it: as an entry of server.roots, and below one. To write the cells: go test ./tests
// -run FileSystems -update
func TestFileSystems(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner := newAccount(t)
	dir := stagesDir(t)
	var users, roots strings.Builder
	stages, failures := map[string]*stage{}, map[string]error{}
	for i, kind := range fileSystems {
		s := &stage{dir: filepath.Join(dir, fmt.Sprint(i)), uid: owner.uid, gid: owner.gid}
		if err := os.Mkdir(s.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.clear(t) })
		if failures[kind.name] = kind.mount(s); failures[kind.name] != nil {
			continue
		}
		stages[kind.name] = s
		fmt.Fprintf(&roots, "%q, ", s.home())
		fmt.Fprintf(&users, "[[user]]\nname = %q\npassword = %q\nhome = %q\nrun_as = %q\n",
			kind.name, hashes["bcrypt"], s.home(), owner.name)
	}
	asRoots := serve(t, settings{
		"server": fmt.Sprintf("roots = [%s]\n", roots.String()),
		"end":    users.String(),
	})
	below := serve(t, settings{
		"server": fmt.Sprintf("roots = [%q]\n", dir),
		"limits": fmt.Sprintf("min_free_space = \"%dMiB\"\n", leastMiB),
		"end":    users.String() + "[data]\nsendfile = false\n",
	})
	for _, kind := range fileSystems {
		t.Run(kind.name, func(t *testing.T) {
			if err := failures[kind.name]; err != nil {
				t.Skipf("%v; to have its programs: sudo apt-get install %s", err, kind.packages)
			}
			p := &probe{
				t: t, stage: stages[kind.name],
				c:     login(t, asRoots.addr, kind.name, "secret"),
				below: login(t, below.addr, kind.name, "secret"),
			}
			compareRow(t, kind.name, p.cells())
		})
	}
}

// TestIdmappedMountOfOthers checks that a user with an id that is not in the map of an idmapped
// mount can make nothing there, whatever the modes are, with a reply after which clients do not
// try again.
func TestIdmappedMountOfOthers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	owner, other := newAccount(t), newAccount(t)
	s := &stage{dir: stagesDir(t), uid: other.uid, gid: other.gid}
	t.Cleanup(func() { s.clear(t) })
	if err := onIdmapped(s); err != nil {
		t.Skipf("needs a machine with idmapped mounts: %v", err)
	}
	if err := os.Chmod(s.home(), 0o777); err != nil {
		t.Fatal(err)
	}
	srv := serve(t, settings{
		"server": fmt.Sprintf("roots = [%q]\n", s.home()),
		"end": fmt.Sprintf("[[user]]\nname = \"virtual\"\npassword = %q\nhome = %q\nrun_as = %q\n",
			hashes["bcrypt"], s.home(), owner.name),
	})
	c := login(t, srv.addr, "virtual", "secret")
	for _, line := range []string{"STOR file", "APPE file", "STOU"} {
		if r, err := c.store(line, "text"); err != nil || r.code != 550 {
			t.Errorf("%s: %v, %v", line, r, err)
		}
	}
	c.expect(t, 550, "MKD dir")
}

// compareRow compares cells with those of the document, or writes them to it.
func compareRow(t *testing.T, name string, cells []string) {
	t.Helper()
	old := fileSystemsTable(t)[name]
	if slices.EqualFunc(old[2:2+len(cells)], cells, agrees) {
		return
	}
	row := strings.Join(slices.Concat(old[:2], cells, old[2+len(cells):]), " | ")
	if !*update {
		t.Errorf("the document has\n| %s |\nand right is\n| %s |", strings.Join(old, " | "), row)
		return
	}
	document := readFile(t, fileSystemsDocument)
	writeFile(t, fileSystemsDocument, strings.Replace(document, strings.Join(old, " | "), row, 1),
		0o644)
}

// agrees reports whether a cell is that of the document, or a better one where a race decides.
func agrees(documented, seen string) bool {
	return documented == seen || documented == seen+mayLack ||
		documented == "late" && seen == "kept"
}

// fileSystemsTable returns the cells of each row of the document's table, by the first cell.
func fileSystemsTable(t *testing.T) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for line := range strings.Lines(readFile(t, fileSystemsDocument)) {
		if cells, ok := strings.CutPrefix(line, "| "); ok {
			row := strings.Split(strings.TrimSuffix(cells, " |\n"), " | ")
			rows[row[0]] = row
		}
	}
	return rows
}

// TestFileSystemsDocument checks that the document's table has the columns and the rows that the
// test fills.
func TestFileSystemsDocument(t *testing.T) {
	t.Parallel()
	want := []string{"file system", "with"}
	for _, column := range columns {
		want = append(want, column.name)
	}
	want = append(want, "set")
	table := fileSystemsTable(t)
	if head := table["file system"]; !slices.Equal(head, want) {
		t.Errorf("the columns are %q, not %q", head, want)
	}
	for _, kind := range fileSystems {
		if row := table[kind.name]; len(row) != len(want) {
			t.Errorf("%s has the cells %q", kind.name, row)
		}
	}
	if len(table) != len(fileSystems)+1 {
		t.Errorf("%d rows for %d file systems", len(table)-1, len(fileSystems))
	}
}
