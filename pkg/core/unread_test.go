package core

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/listing"
)

// A client that sends commands and reads no reply makes its session hold one reply at most. The
// largest is that of STAT, whose listing has at most listing.MaxReply bytes; besides its text,
// there are a header of each line and buffers.
func TestUnreadReplies(t *testing.T) {
	const sessions, others = 10, 2*memnet.WindowSize + 40<<10
	for command, most := range map[string]int{
		"STAT large": listing.MaxReply + listing.MaxReply/4 + others,
		"HELP":       others,
		"MLST large": others,
	} {
		t.Run(command, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if got := makeListing(t, w, "large", listing.MaxReply); got < listing.MaxReply-1000 {
					t.Fatalf("the listing has %d bytes", got)
				}
				commands := bytes.Repeat([]byte(command+"\r\n"), 1000)
				clients := make([]*memnet.Conn, sessions)
				before := heap()
				for i := range clients {
					c := w.connect()
					say(t, c, "USER alice\r\nPASS secret")
					clients[i] = c
					go c.Write(commands) // ends with the connection
				}
				synctest.Wait()
				each := (heap() - before) / sessions
				t.Logf("%d KiB for each session", each>>10)
				if each > most {
					t.Errorf("each session holds %d KiB, more than %d KiB", each>>10, most>>10)
				}
				for _, c := range clients {
					c.Reset()
				}
				w.sessions.Wait()
			})
		})
	}
}

// STAT sends a listing of at most listing.MaxReply bytes whole, and refuses a longer one.
func TestLongestStat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		makeListing(t, w, "large", listing.MaxReply)
		names, err := os.ReadDir(filepath.Join(w.supervisor.home, "large"))
		if err != nil {
			t.Fatal(err)
		}
		c := w.connect()
		say(t, c, "USER alice\r\nPASS secret")
		c.Write([]byte("STAT large\r\n"))
		lines := bufio.NewScanner(c)
		want := []string{"213-Status of /large:"}
		for _, e := range names {
			want = append(want, e.Name())
		}
		for _, end := range append(want, "213 End of status.") {
			if !lines.Scan() || !strings.HasSuffix(lines.Text(), end) {
				t.Fatalf("%q is where %q should be", lines.Text(), end)
			}
		}
		more := filepath.Join(w.supervisor.home, "large", strings.Repeat("x", 200))
		if err := os.WriteFile(more, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := say(t, c, "STAT large"); got != "450 Too many entries for STAT; use LIST.\r\n" {
			t.Errorf("%.100q", got)
		}
		c.Close()
		w.sessions.Wait()
	})
}

// heap returns the bytes that are in use.
func heap() int {
	runtime.GC()
	runtime.GC() // empties pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// makeListing makes a directory whose LIST has almost size bytes, and returns how many.
func makeListing(t *testing.T, w *world, name string, size int) (has int) {
	t.Helper()
	dir := filepath.Join(w.supervisor.home, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const line = len("-rw-r--r--   1 owner    group           0 Nov 28 12:00 \r\n") + 200
	for n := 0; has+line <= size; n++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%0200d", n)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		has += line
	}
	return has
}
