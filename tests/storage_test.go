//go:build linux

package tests

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// upload sends n bytes, as far as the server accepts them, and returns the last reply.
func (c *client) upload(t *testing.T, line string, bytes int64) reply {
	t.Helper()
	conn, err := c.passive()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r, err := c.do(line); err != nil || r.code >= 200 {
		t.Fatalf("%s: %v, %v", line, r, err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	io.CopyN(conn, endless{}, bytes) // its error is in the reply
	conn.Close()
	r, err := c.reply()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMaxFileSize checks that no file becomes larger than max_file_size, however its bytes are
// moved.
func TestMaxFileSize(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const most = 3 << 20
	u := newAccount(t)
	for _, sendfile := range []bool{true, false} {
		s := serve(t, settings{"defaults": "max_file_size = \"3MiB\"\n",
			"end": fmt.Sprintf("[data]\nsendfile = %v\n", sendfile)})
		c := login(t, s.addr, u.name, u.password)
		for _, test := range []struct {
			line string
			send int64
			code int
		}{
			{"STOR a", most, 226},
			{"APPE a", 0, 226},
			{"STOR a", most + 1, 552},
			{"STOR a", 5 * most, 552},
			{"STOR a", 1 << 20, 226},
			{"APPE a", 2 << 20, 226},
			{"STOR a", 1 << 20, 226},
			{"APPE a", 2<<20 + 1, 552},
		} {
			if r := c.upload(t, test.line, test.send); r.code != test.code ||
				r.code == 552 && !strings.Contains(r.text, "3145728") {
				t.Errorf("%s with %d bytes: %v, not %d", test.line, test.send, r, test.code)
			}
			info, err := os.Stat(filepath.Join(u.home, "a"))
			if err != nil {
				t.Fatal(err)
			}
			if test.code == 552 && info.Size() != most {
				t.Errorf("%s with %d bytes leaves %d", test.line, test.send, info.Size())
			}
		}
		c.expect(t, 202, "ALLO 3145729")
		c.expect(t, 552, "STOR b")
		s.log.wait(t, "the limit in the log", func(r record) bool {
			return r.Message == "upload_incomplete" && strings.HasPrefix(r.Cause, "max_file_size: ")
		})
	}
}

// smallDisk makes a file system of so many MiB that holds the home of an account.
func smallDisk(t *testing.T, mebibytes int) (a account, roots string) {
	t.Helper()
	dir := sharedDir(t)
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "", "mount", "-t", "tmpfs", "-o", fmt.Sprintf("mode=755,size=%dm", mebibytes),
		"none", disk)
	t.Cleanup(func() { unmountLazily(t, disk) })
	return newAccount(t, "--home-dir", filepath.Join(disk, "home")),
		fmt.Sprintf("roots = [%q, %q]\n", dir, disk)
}

// TestMinFreeSpace checks that uploads leave min_free_space free, also those that began before
// the space was short, and that uploads work again when there is more.
func TestMinFreeSpace(t *testing.T) {
	t.Parallel()
	needRoot(t)
	const disk, least = 24 << 20, 12 << 20
	u, roots := smallDisk(t, disk>>20)
	for _, sendfile := range []bool{true, false} {
		s := serve(t, settings{"server": roots, "limits": "min_free_space = \"12MiB\"\n",
			"end": fmt.Sprintf("[data]\nsendfile = %v\n", sendfile)})
		c := login(t, s.addr, u.name, u.password)
		if r := c.upload(t, "STOR a", 1<<20); r.code != 226 {
			t.Errorf("a small file: %v", r)
		}
		if r := c.upload(t, "STOR b", disk); r.code != 452 {
			t.Errorf("a large file: %v", r)
		}
		info, err := os.Stat(filepath.Join(u.home, "b"))
		if err != nil || info.Size() < disk-least-2<<20 || info.Size() > disk-least+1<<20 {
			t.Errorf("%d bytes arrived, %v", info.Size(), err)
		}
		c.expect(t, 452, "STOR c")
		c.expect(t, 452, "APPE a")
		s.log.wait(t, "the limit in the log", func(r record) bool {
			return r.Message == "upload_incomplete" &&
				strings.HasPrefix(r.Cause, "min_free_space: ")
		})
		c.expect(t, 250, "DELE b")
		c.expect(t, 202, fmt.Sprintf("ALLO %d", disk-least))
		c.expect(t, 452, "STOR c")
		if r := c.upload(t, "STOR c", 1000); r.code != 226 {
			t.Errorf("after a file was removed: %v", r)
		}
	}
}

// TestFullDisk checks that a full disk gets 552, and that what fitted stays.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u, roots := smallDisk(t, 8)
	for _, sendfile := range []bool{true, false} {
		s := serve(t, settings{"server": roots,
			"end": fmt.Sprintf("[data]\nsendfile = %v\n", sendfile)})
		c := login(t, s.addr, u.name, u.password)
		if r := c.upload(t, "STOR a", 16<<20); r.code != 552 {
			t.Errorf("a large file: %v", r)
		}
		incomplete := s.log.wait(t, "the record", message("upload_incomplete"))
		info, err := os.Stat(filepath.Join(u.home, "a"))
		if err != nil || info.Size() < 4<<20 || incomplete.Bytes != info.Size() {
			t.Errorf("%d bytes stay, %v; the log has %v", info.Size(), err, incomplete.Bytes)
		}
		c.expect(t, 250, "DELE a")
		if r := c.upload(t, "STOR a", 1<<20); r.code != 226 {
			t.Errorf("a small file: %v", r)
		}
	}
}
