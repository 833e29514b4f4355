//go:build linux

package tests

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// opens watches the opens of files, with inotify(7). O_PATH is not one of them.
type opens struct{ fd int }

func watchOpens(t *testing.T, files ...string) opens {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	for _, file := range files {
		if _, err := unix.InotifyAddWatch(fd, file, unix.IN_OPEN); err != nil {
			t.Fatal(err)
		}
	}
	return opens{fd}
}

// any reports whether a file was opened since the last call.
func (o opens) any(t *testing.T) bool {
	t.Helper()
	n, err := unix.Read(o.fd, make([]byte, 4096))
	if err != nil && err != unix.EAGAIN {
		t.Fatal(err)
	}
	return n > 0
}

// TestSpecialFiles checks that no command opens a device, a FIFO or a socket, not even for a
// moment: an open can rewind a tape, start a watchdog or release a program that waits.
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newAccount(t)
	var special []string
	for name, mode := range map[string]uint32{"device": unix.S_IFCHR, "disk": unix.S_IFBLK,
		"fifo": unix.S_IFIFO} {
		path := filepath.Join(u.home, name)
		if err := unix.Mknod(path, mode|0o666, int(unix.Mkdev(1, 3))); err != nil {
			t.Fatal(err)
		}
		special = append(special, name)
	}
	l, err := net.Listen("unix", filepath.Join(u.home, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	special = append(special, "socket")
	var watched []string
	for _, name := range special {
		path := filepath.Join(u.home, name)
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, path+".link"); err != nil {
			t.Fatal(err)
		}
		watched = append(watched, path)
		special = append(special, name+".link")
	}
	o := watchOpens(t, append(watched, u.file(t, "file", "text", u.uid, u.gid, 0o644))...)
	s := serve(t, nil)
	c := login(t, s.addr, u.name, u.password)
	if text, r, err := c.retrieve("RETR file"); text != "text" || !o.any(t) {
		t.Fatalf("an open of a regular file is not seen: %v, %v", r, err)
	}
	for _, name := range special {
		for _, verb := range []string{"STOR", "APPE", "RETR", "HASH", "XMD5", "SIZE"} {
			r, err := c.do("EPSV")
			if err != nil || r.code != 229 {
				t.Fatal(r, err)
			}
			c.expect(t, 550, verb+" "+name)
			if o.any(t) {
				t.Errorf("%s opened %s", verb, name)
			}
		}
		for _, line := range []string{"MLST " + name, "STAT " + name, "MDTM " + name,
			"SITE CHMOD 666 " + name} {
			if _, err := c.do(line); err != nil || o.any(t) {
				t.Errorf("%s opened it, or failed: %v", line, err)
			}
		}
	}
	for _, line := range []string{"MLSD", "LIST", "NLST"} {
		if _, r, err := c.retrieve(line); err != nil || r.code != 226 || o.any(t) {
			t.Errorf("%s opened one, or failed: %v, %v", line, r, err)
		}
	}
}
