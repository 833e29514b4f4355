package core

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/listing"
	"ftpd/pkg/transfer"
	"ftpd/pkg/vfs"
)

// links makes a home with the directory dir, in which one file has many names.
func links(t *testing.T, count int) (home string, names []string) {
	t.Helper()
	home = t.TempDir()
	dir := filepath.Join(home, "dir")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	first := filepath.Join(dir, "000000")
	if err := os.WriteFile(first, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range count {
		name := fmt.Sprintf("%06d", i)
		names = append(names, name)
		if i > 0 {
			if err := os.Link(first, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return home, names
}

// inListing calls play with a logged-in session, and ends the session.
func inListing(t *testing.T, home string, play func(*testing.T, *world, *memnet.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.supervisor.home = home
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret")
		defer w.sessions.Wait()
		defer c.Close()
		play(t, w, c)
	})
}

// begin starts a listing and returns its data connection, which is not read yet.
func (w *world) begin(t *testing.T, c *memnet.Conn, line string) *memnet.Conn {
	t.Helper()
	port := passivePort(t, say(t, c, "EPSV"))
	d, err := w.net.Connect(w.remote, w.at(port))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // until the server has accepted it
	if got := say(t, c, line); got != "150 "+transfer.OpeningList+"\r\n" {
		t.Fatalf("%s: %s", line, got)
	}
	return d
}

// drainData reads a data connection to its end.
func drainData(d *memnet.Conn) {
	block := make([]byte, 32<<10)
	for {
		if _, err := d.Read(block); err != nil {
			break
		}
	}
	d.Close()
}

// A listing whose directory cannot be read to its end ends with 451, never with 226, because a
// client treats files that are missing in a listing as deleted.
func TestListingsThatFail(t *testing.T) {
	home, _ := links(t, 1200)
	for _, test := range []struct {
		line, call string
		nth        int
	}{
		{"LIST dir", "getdents64", 2}, {"NLST dir", "getdents64", 2}, {"MLSD dir", "getdents64", 2},
		{"NLST dir/*", "getdents64", 2},
	} {
		t.Run(test.line+test.call, func(t *testing.T) {
			inListing(t, home, func(t *testing.T, w *world, c *memnet.Conn) {
				calls := 0
				w.refit(t, func(call string) error {
					if call == test.call {
						if calls++; calls == test.nth {
							return syscall.EIO
						}
					}
					return nil
				})
				port := passivePort(t, say(t, c, "EPSV"))
				if got := say(t, c, test.line); !strings.HasPrefix(got, "150 ") {
					t.Fatal(got)
				}
				w.upload(t, port, "")
				if got := heard(c); got != "451 Local error.\r\n" {
					t.Errorf("the server says %q", got)
				}
			})
		})
	}
}

// Entries that the file system cannot describe are listed by name, without the unknown facts.
// The log has one record for all of them.
func TestListingsWithBadEntries(t *testing.T) {
	home, names := links(t, 3)
	const line = "----------   1 ?        ?               0 Jan  1  1970 "
	for _, number := range []syscall.Errno{
		syscall.ESTALE, syscall.EIO, syscall.EPERM, syscall.EOVERFLOW,
	} {
		for cmd, want := range map[string]string{
			"LIST dir": line, "LIST dir/0*": line, "MLSD dir": "type=file;perm=adfrw; ",
		} {
			t.Run(cmd+number.Error(), func(t *testing.T) {
				inListing(t, home, func(t *testing.T, w *world, c *memnet.Conn) {
					w.refit(t, failDescriptions(2, number))
					var bad, all []string
					for _, line := range w.listing(t, c, cmd) {
						name := line[strings.LastIndexByte(line, ' ')+1:]
						if all = append(all, name); line == want+name {
							bad = append(bad, name)
						}
					}
					if len(bad) != 2 || !slices.Equal(all, names) {
						t.Errorf("of %q only %q are bad", all, bad)
					}
					w.hasBadEntries(t, cmd[:4], 226, number)
				})
			})
		}
	}
	inListing(t, home, func(t *testing.T, w *world, c *memnet.Conn) {
		w.refit(t, failDescriptions(2, syscall.EIO))
		if got := say(t, c, "STAT dir"); strings.Count(got, "\r\n"+line) != 2 {
			t.Error(got)
		}
		w.hasBadEntries(t, "STAT", 213, syscall.EIO)
	})
}

// failDescriptions fails the first descriptions of entries in a directory that is being read.
func failDescriptions(count int, number syscall.Errno) vfs.Faults {
	reading := false
	return func(call string) error {
		switch call {
		case "getdents64", "readdir":
			reading = true
		case "statx", "lstat":
			if reading && count > 0 {
				count--
				return number
			}
		}
		return nil
	}
}

// hasBadEntries checks that a listing has logged one record about two entries that could not
// be described.
func (w *world) hasBadEntries(t *testing.T, verb string, code int, number syscall.Errno) {
	t.Helper()
	synctest.Wait()
	var found []string
	for _, e := range w.supervisor.events {
		if strings.HasPrefix(e, "command "+verb+" ") {
			found = append(found, e)
		}
	}
	begin := fmt.Sprintf(
		"command %s /dir %d (listed by name alone: 2 of the entries, the first is \"00", verb,
		code,
	)
	if len(found) != 1 || !strings.HasPrefix(found[0], begin) ||
		!strings.HasSuffix(found[0], ": "+number.Error()+")") {
		t.Errorf("the log has %q", found)
	}
}

// Changes and failures while a large directory is listed.
func TestLargeDirectory(t *testing.T) {
	home, names := links(t, listing.MaxSorted+7000)
	for _, test := range []struct {
		name string
		play func(*testing.T, *world, *memnet.Conn)
	}{
		{"nobody reads", listingThatNobodyReads},
		{"pattern", func(t *testing.T, w *world, c *memnet.Conn) { listPatterns(t, w, c, names) }},
		{"abort", abortPattern},
		{"removed", listingOfWhatIsRemoved}, // the last one
	} {
		t.Run(test.name, func(t *testing.T) { inListing(t, home, test.play) })
	}
}

// A listing whose client has gone ends with 426.
func listingThatNobodyReads(t *testing.T, w *world, c *memnet.Conn) {
	for _, line := range []string{"LIST dir", "MLSD dir", "NLST dir/*"} {
		w.begin(t, c, line).Close()
		if got := heard(c); got != "426 Data connection closed; transfer aborted.\r\n" {
			t.Errorf("%s: the server says %q", line, got)
		}
	}
}

// A listing whose directory was removed before it was read is refused with the same reply as
// before the 150.
func listingOfWhatIsRemoved(t *testing.T, w *world, c *memnet.Conn) {
	d := w.begin(t, c, "NLST dir")
	if err := os.RemoveAll(filepath.Join(w.supervisor.home, "dir")); err != nil {
		t.Fatal(err)
	}
	drainData(d)
	if got := heard(c); got != "550 No such file or directory.\r\n" {
		t.Errorf("the server says %q", got)
	}
}

// A pattern finds its matches anywhere in a large directory. Where it would take long to find
// out beforehand, a pattern without a match results in an empty listing.
func listPatterns(t *testing.T, w *world, c *memnet.Conn, names []string) {
	var nines []string
	for i := range len(names) / 10 {
		nines = append(nines, names[10*i+9])
	}
	for _, test := range []struct {
		pattern string
		want    []string
	}{
		{"00123?", names[1230:1240]}, {names[len(names)-1] + "*", names[len(names)-1:]},
		{"*9", nines}, {"none*", []string{""}},
	} {
		got := w.listing(t, c, "NLST dir/"+test.pattern)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], "dir/")
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %d names, not %d: %.60q", test.pattern, len(got), len(test.want), got)
		}
	}
}

// A search that sends no byte can be aborted.
func abortPattern(t *testing.T, w *world, c *memnet.Conn) {
	began, calls, held := false, 0, make(chan struct{})
	w.refit(t, func(call string) error {
		if call == "getdents64" && began {
			<-held
			calls++
		}
		return nil
	})
	port := passivePort(t, say(t, c, "EPSV"))
	if got := say(t, c, "NLST dir/none*"); !strings.HasPrefix(got, "150 ") {
		t.Fatal(got)
	}
	began = true // the transfer waits for its data connection
	d, err := w.net.Connect(w.remote, w.at(port))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // until the search has begun
	if got := say(t, c, "ABOR"); got != "" {
		t.Fatal(got)
	}
	close(held)
	if got := heard(c); got != "426 Transfer aborted.\r\n226 Abort successful.\r\n" {
		t.Errorf("the server says %q", got)
	}
	if calls > 4 { // of about 2000 names each; 7000 were left
		t.Errorf("the search went on, for %d calls", calls)
	}
	d.Close()
}

// Long lines (links with long targets) count for the bound as well: LIST no longer sorts them,
// and STAT refuses.
func TestListingOfLongLines(t *testing.T) {
	inListing(t, t.TempDir(), func(t *testing.T, w *world, c *memnet.Conn) {
		var want []string
		for i := range 3 * listing.MaxText / 4000 {
			name := fmt.Sprintf("%06d", i)
			want = append(want, name)
			if err := os.Symlink(strings.Repeat("/", 4000),
				filepath.Join(w.supervisor.home, name)); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, line := range w.listing(t, c, "LIST") {
			head, _, _ := strings.Cut(line, " -> ")
			got = append(got, head[len(head)-6:])
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%d names are not all of them", len(got))
		}
		if got := say(t, c, "STAT /"); got != "450 Too many entries for STAT; use LIST.\r\n" {
			t.Errorf("%.100q", got)
		}
	})
}
