//go:build linux

package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAppendOnlyFile checks that a file with the append-only attribute (chattr +a) accepts APPE,
// whichever way its bytes are moved, and nothing else.
func TestAppendOnlyFile(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	for _, sendfile := range []bool{true, false} {
		log := u.file(t, fmt.Sprintf("log-%v", sendfile), "begin\n", u.uid, u.gid, 0o644)
		appendOnly(t, log)
		s := serve(t, settings{"end": fmt.Sprintf("[data]\nsendfile = %v\n", sendfile)})
		c := login(t, s.addr, u.name, u.password)
		name := filepath.Base(log)
		more := string(bytes.Repeat([]byte("0123456789abcde\n"), 20_000))
		for _, text := range []string{"one line\n", more} {
			if r, err := c.store("APPE "+name, text); r.code != 226 || err != nil {
				t.Errorf("APPE of %d bytes: %v, %v", len(text), r, err)
			}
		}
		c.refusedAll(t, "STOR "+name, "DELE "+name, "RNFR "+name+", RNTO other")
		if got := readFile(t, log); got != "begin\none line\n"+more {
			t.Errorf("the file has %d bytes", len(got))
		}
	}
}

// appendOnly sets the attribute until the test ends.
func appendOnly(t *testing.T, path string) {
	t.Helper()
	const appendOnlyFlag = 0x20 // FS_APPEND_FL
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := unix.IoctlGetUint32(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags|appendOnlyFlag))
	}
	if err != nil {
		f.Close()
		t.Skipf("needs homes on a file system with append-only files, and CAP_LINUX_IMMUTABLE: %v; run there: sudo make system", err)
	}
	t.Cleanup(func() {
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS,
			int(flags)); err != nil {
			t.Error(err)
		}
		f.Close()
	})
}

// TestAppendingTogether checks that nothing is lost where two clients append to one file at the
// same time.
func TestAppendingTogether(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	for _, sendfile := range []bool{true, false} {
		s := serve(t, settings{"end": fmt.Sprintf("[data]\nsendfile = %v\n", sendfile)})
		const each = 3 << 20
		name := fmt.Sprintf("together-%v", sendfile)
		done := make(chan error)
		for _, letter := range []string{"a", "b"} {
			c := login(t, s.addr, u.name, u.password)
			go func() { // ends with the transfer
				r, err := c.store("APPE "+name, string(bytes.Repeat([]byte(letter), each)))
				if err == nil && r.code != 226 {
					err = fmt.Errorf("%v", r)
				}
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		got := readFile(t, filepath.Join(u.home, name))
		a, b := strings.Count(got, "a"), strings.Count(got, "b")
		if a != each || b != each {
			t.Errorf("the file has %d and %d bytes of the two, of %d each", a, b, each)
		}
	}
}
