//go:build linux

package tests

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRootMountedAgain covers a disk that is unplugged and comes back as the same device with the
// same numbers. Landlock's rule is lost with the first mount, but the next client reaches the
// disk all the same.
func TestRootMountedAgain(t *testing.T) {
	t.Parallel()
	needRoot(t)
	if _, _, err := unix.Syscall(unix.SYS_LISTMOUNT, 0, 0, 0); err != unix.EFAULT {
		t.Skip("needs Linux 6.8: before it, nothing tells such a mount from the one before")
	}
	u, shared := newAccount(t), sharedDir(t)
	image := diskImage(t, 8, "mkfs.ext4", "-q")
	command(t, "", "mount", "-o", "loop", image, shared)
	t.Cleanup(func() { unmount(t, shared) })
	writeFile(t, filepath.Join(shared, "file"), "text", 0o644)
	before := numbersOf(t, shared)
	s := serve(t, settings{"end": fmt.Sprintf(
		"[[user]]\nname = %q\n[[user.mount]]\npath = \"/shared\"\ndirectory = %q\n", u.name,
		shared)})
	c := login(t, s.addr, u.name, u.password)
	c.expect(t, 213, "SIZE /shared/file")
	c.conn.Close()
	again := fmt.Sprintf("umount %[1]s && mount -o loop %[2]s %[1]s", shared, image)
	s.another(t, func() { // the service sees the table of mounts only when all is over
		s.cmd.Process.Signal(syscall.SIGSTOP)
		defer s.cmd.Process.Signal(syscall.SIGCONT)
		eventually(t, "the disk is not in use", func() bool {
			return exec.Command("sh", "-c", again).Run() == nil
		})
	})
	if now := numbersOf(t, shared); now != before {
		t.Errorf("the numbers are others, so the test shows nothing: %v, %v", before, now)
	}
	eventually(t, "a new session reaches the disk", func() bool {
		c := login(t, s.addr, u.name, u.password)
		defer c.conn.Close()
		r, err := c.do("SIZE /shared/file")
		return err == nil && r.code == 213
	})
}

type fileNumbers struct{ device, inode uint64 }

func numbersOf(t *testing.T, path string) fileNumbers {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return fileNumbers{st.Dev, st.Ino}
}

// TestHomeUnderAutofs checks that a home that autofs mounts is mounted by its user's login, by
// nothing else, and by each login after it was unmounted again.
func TestHomeUnderAutofs(t *testing.T) {
	t.Parallel()
	needRoot(t)
	a := mountAutofs(t, sharedDir(t))
	u, other := newAccount(t), sharedDir(t)
	s := serve(t, settings{"end": fmt.Sprintf(
		"[[user]]\nname = %q\nhome = %q\n[[user]]\nname = \"other\"\npassword = %q\nhome = %q\nrun_as = %q\n",
		u.name, filepath.Join(a.dir, "alice"), hashes["sha256-crypt"], other, u.name)})
	if n := a.mounts.Load(); n != 0 {
		t.Errorf("the start mounted the home %d times", n)
	}
	for n := range int32(2) {
		c := login(t, s.addr, u.name, u.password)
		c.expect(t, 257, "MKD dir")
		c.conn.Close()
		if now := a.mounts.Load(); now != n+1 {
			t.Errorf("login %d: mounted %d times", n+1, now)
		}
		eventually(t, "the home is not in use", func() bool { return a.expire("alice") })
		s.another(t, func() { mountOver(t, other) })
		if now := a.mounts.Load(); now != n+1 {
			t.Errorf("after it was taken away it was mounted again, %d times", now)
		}
	}
}

// An automounter is the daemon of one autofs directory. It mounts an empty file system for each
// name.
type automounter struct {
	dir    string
	shell  *automountShell
	mounts atomic.Int32
}

// An automountShell runs commands in the process group for which autofs mounts nothing.
type automountShell struct {
	cmd *exec.Cmd

	mu  sync.Mutex // one command at a time
	in  io.Writer
	out io.Reader
}

func startAutomountShell(t *testing.T) *automountShell {
	t.Helper()
	cmd := exec.Command("sh")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, out := startWithPipes(t, cmd)
	return &automountShell{cmd: cmd, in: in, out: out}
}

// run reports whether a command succeeds.
func (s *automountShell) run(command string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.in, "if %s 2>/dev/null >&2; then echo y; else echo n; fi\n", command)
	answer := make([]byte, 2)
	_, err := io.ReadFull(s.out, answer)
	return err == nil && answer[0] == 'y'
}

func mountAutofs(t *testing.T, dir string) *automounter {
	t.Helper()
	a := &automounter{dir: dir, shell: startAutomountShell(t)}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	requests := os.NewFile(uintptr(pipe[0]), "autofs")
	options := fmt.Sprintf("fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", pipe[1],
		a.shell.cmd.Process.Pid)
	err := unix.Mount("ftpdtest", dir, "autofs", 0, options)
	unix.Close(pipe[1])
	if err != nil {
		requests.Close()
		t.Skipf("needs autofs in the kernel (modprobe autofs4): mount: %v", err)
	}
	ended := make(chan struct{})
	go func() { // ends when the file system is unmounted
		defer close(ended)
		defer requests.Close()
		a.serve(requests)
	}()
	t.Cleanup(func() {
		eventually(t, "the home is taken away", func() bool {
			return a.shell.run("! mountpoint "+dir+"/alice") || a.expire("alice")
		})
		unmount(t, dir)
		<-ended
	})
	return a
}

// serve answers requests to mount: struct autofs_v5_packet in linux/auto_fs.h.
func (a *automounter) serve(requests io.Reader) {
	const token, name, size = 8, 44, 304
	const ready, fail = 0x9360, 0x9361 // AUTOFS_IOC_READY, AUTOFS_IOC_FAIL
	packet := make([]byte, size)
	for {
		if _, err := io.ReadFull(requests, packet); err != nil {
			return
		}
		text, _, _ := bytes.Cut(packet[name:], []byte{0})
		at := filepath.Join(a.dir, string(text))
		answer := uint(fail)
		if string(text) == "alice" &&
			a.shell.run(fmt.Sprintf("mkdir -p %[1]s && mount -t tmpfs -o mode=777 none %[1]s",
				at)) {
			a.mounts.Add(1)
			answer = ready
		}
		dir, err := unix.Open(a.dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		unix.IoctlSetInt(dir, answer, int(binary.NativeEndian.Uint32(packet[token:])))
		unix.Close(dir)
	}
}

// expire unmounts a home, as autofs does when it was not used for a while.
func (a *automounter) expire(name string) bool {
	at := filepath.Join(a.dir, name)
	return a.shell.run(fmt.Sprintf("umount %[1]s && rmdir %[1]s", at))
}
