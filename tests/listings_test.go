//go:build linux

package tests

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMillionEntries checks that a directory of a million entries is listed in bounded memory, so
// from its first entries on, and that each entry is listed once.
func TestMillionEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a million names; run: go test ./tests -run TestMillionEntries, without -short")
	}
	const count, mayGrow = 1_000_000, 16 << 20
	dir := sharedMemoryDir(t)
	manyNames(t, dir, count)
	port := freePort(t)
	s := newServer(t, port, "share", dir, "--listen", fmt.Sprintf("127.0.0.1:%d", port))
	s.start(t)
	c := login(t, s.addr, "anonymous", "guest@example.org")
	pid := s.cmd.Process.Pid
	for _, verb := range []string{"LIST", "MLSD", "NLST", "LIST *"} {
		resetPeak(t, pid)
		before, begun := resident(pid), time.Now()
		seen := make([]bool, count)
		r, err := c.transfer(verb, func(conn net.Conn) error {
			conn.SetDeadline(time.Now().Add(10 * time.Minute)) // a guard against hanging
			return countNames(conn, seen)
		})
		if err != nil || r.code != 226 {
			t.Fatalf("%s: %v, %v", verb, r, err)
		}
		for i, there := range seen {
			if !there {
				t.Errorf("%s: %d is missing", verb, i)
				break
			}
		}
		grown := peak(pid) - before
		t.Logf("%s of %d entries took %.1f s and %d KiB beside %d KiB", verb, count,
			time.Since(begun).Seconds(), grown>>10, before>>10)
		if grown > mayGrow {
			t.Errorf("%s: the server grew by %d KiB", verb, grown>>10)
		}
	}
}

// countNames reads a listing with lines that end with the names of manyNames.
func countNames(conn io.Reader, seen []bool) error {
	in := bufio.NewReaderSize(conn, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		_, number, _ := strings.Cut(string(line), "entry-")
		i, err := strconv.Atoi(strings.TrimSuffix(number, "\r\n"))
		if err != nil || i >= len(seen) || seen[i] {
			return fmt.Errorf("%q is no name, or there twice: %v", line, err)
		}
		seen[i] = true
	}
}

// sharedMemoryDir returns a directory in memory where there is one, since a disk would need
// minutes for a million names.
func sharedMemoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ftpdtest")
	if err != nil {
		return sharedDir(t)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// manyNames makes count names of a few files, since a file system bounds the names of one file.
func manyNames(t *testing.T, dir string, count int) {
	t.Helper()
	first := ""
	for i := range count {
		name := filepath.Join(dir, fmt.Sprintf("entry-%07d", i))
		var err error
		if i%50_000 == 0 {
			first, err = name, os.WriteFile(name, nil, 0o644)
		} else {
			err = os.Link(first, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// resetPeak resets peak.
func resetPeak(t *testing.T, pid int) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// peak returns VmHWM in bytes.
func peak(pid int) int64 {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(status(pid, "VmHWM"), " kB"), 10, 64)
	return kib << 10
}
