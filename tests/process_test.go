//go:build linux

package tests

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// procFile reads a file of /proc/PID. It returns "" when the process has ended.
func procFile(pid int, name string) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	return string(data)
}

// status returns a field of /proc/PID/status.
func status(pid int, field string) string {
	for line := range strings.Lines(procFile(pid, "status")) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return ""
}

// running reports whether a process runs; a zombie does not.
func running(pid int) bool {
	state := status(pid, "State")
	return state != "" && state[0] != 'Z' && state[0] != 'X'
}

func commandLine(pid int) []string {
	return strings.Split(strings.TrimSuffix(procFile(pid, "cmdline"), "\x00"), "\x00")
}

// resident returns VmRSS in bytes.
func resident(pid int) int64 {
	kib, _ := strconv.ParseInt(strings.TrimSuffix(status(pid, "VmRSS"), " kB"), 10, 64)
	return kib << 10
}

// descriptors returns the open descriptors of a process, and what each is.
func descriptors(pid int) map[int]string {
	found := map[int]string{}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		fd, _ := strconv.Atoi(filepath.Base(link))
		found[fd], _ = os.Readlink(link)
	}
	return found
}

// descendants returns the processes that pid started, and those that these started.
func descendants(pid int) []int {
	children := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, _ := strconv.Atoi(filepath.Base(dir))
		parent, _ := strconv.Atoi(status(child, "PPid"))
		children[parent] = append(children[parent], child)
	}
	found := slices.Clone(children[pid])
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

// searchMemory returns which of the strings are anywhere in the memory of a process.
func searchMemory(t *testing.T, pid int, wanted ...string) map[string]bool {
	t.Helper()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	found := map[string]bool{}
	maps := bufio.NewScanner(strings.NewReader(procFile(pid, "maps")))
	for maps.Scan() {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(maps.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatalf("%q: %v", maps.Text(), err)
		}
		if mode[0] == 'r' {
			searchRange(memory, from, to, wanted, found)
		}
	}
	return found
}

// searchRange reads piece by piece, each with the end of the piece before, so that it finds
// strings at the borders.
func searchRange(memory *os.File, from, to uint64, wanted []string, found map[string]bool) {
	const piece, overlap = 1 << 20, 512
	buf := make([]byte, overlap+piece)
	kept := 0
	for at := from; at < to; {
		n, err := memory.ReadAt(buf[kept:kept+int(min(piece, to-at))], int64(at))
		if n == 0 || err != nil && n == 0 {
			return // a range that cannot be read, such as vvar
		}
		for _, w := range wanted {
			if bytes.Contains(buf[:kept+n], []byte(w)) {
				found[w] = true
			}
		}
		at += uint64(n)
		end := kept + n
		kept = copy(buf, buf[max(0, end-overlap):end])
	}
}

// startWithPipes starts a program and returns its standard input and output. The input is closed
// at the end of the test, which waits for the program.
func startWithPipes(t *testing.T, cmd *exec.Cmd) (in io.Writer, out io.Reader) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err = cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	return stdin, out
}
