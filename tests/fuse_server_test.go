//go:build linux

package tests

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A fuseServer is a file system of this test: one directory that every user may change and that
// keeps nothing. It can hang, as a server in the network does, and it can die.
type fuseServer struct {
	dir   string
	fd    int
	ended chan struct{} // closed when the file system has died

	mu   sync.Mutex
	dead bool     // guarded by mu
	hang bool     // guarded by mu; requests wait
	kept [][]byte // guarded by mu; those that wait
}

// mountFUSE mounts such a file system at dir until the end of the test. Every process that it
// holds up is released then.
func mountFUSE(t *testing.T, dir string) *fuseServer {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs FUSE (modprobe fuse): %v", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40777,user_id=0,group_id=0,allow_other,default_permissions", fd)
	if err := unix.Mount("ftpdtest", dir, "fuse", 0, options); err != nil {
		unix.Close(fd)
		t.Skipf("needs FUSE: mount: %v", err)
	}
	f := &fuseServer{dir: dir, fd: fd, ended: make(chan struct{})}
	t.Cleanup(func() {
		f.die()
		unix.Unmount(dir, unix.MNT_DETACH)
	})
	go f.serve() // ends when the file system dies
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	return f
}

// die ends the server: the file system returns ENOTCONN from then on.
func (f *fuseServer) die() {
	f.mu.Lock()
	f.dead = true
	f.mu.Unlock()
	<-f.ended
}

// stop holds up all requests; proceed answers those that wait.
func (f *fuseServer) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hang = true
}

func (f *fuseServer) proceed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hang = false
	for _, request := range f.kept {
		f.answer(request)
	}
	f.kept = nil
}

// waiting returns how many requests wait.
func (f *fuseServer) waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.kept)
}

// serve reads one request after the other, in the form of linux/fuse.h.
func (f *fuseServer) serve() {
	defer close(f.ended)
	defer unix.Close(f.fd)
	for {
		unix.Poll([]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}, 100)
		if !f.take() {
			return
		}
	}
}

// take reads a request, if there is one. It returns false when no more will come.
func (f *fuseServer) take() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	buf := make([]byte, 1<<17)
	n, err := unix.Read(f.fd, buf)
	switch {
	case f.dead, err == unix.ENODEV: // unmounted
		return false
	case err != nil: // nothing there, or interrupted
	case f.hang:
		f.kept = append(f.kept, buf[:n])
	default:
		f.answer(buf[:n])
	}
	return true
}

const (
	fuseForget    = 2
	fuseGetattr   = 3
	fuseStatfs    = 17
	fuseInit      = 26
	fuseOpendir   = 27
	fuseReaddir   = 28
	fuseRelease   = 29
	fuseInterrupt = 36
)

func (f *fuseServer) answer(request []byte) {
	var body []byte
	number := int32(0)
	word := binary.NativeEndian
	switch word.Uint32(request[4:]) {
	case fuseForget, fuseInterrupt:
		return
	case fuseInit:
		body = make([]byte, 64)
		word.PutUint32(body, 7)
		word.PutUint32(body[4:], 31)
		word.PutUint32(body[20:], 1<<16) // max_write
	case fuseGetattr:
		body = make([]byte, 16+88) // valid for no time
		word.PutUint64(body[16:], 1)
		word.PutUint32(body[16+60:], unix.S_IFDIR|0o777)
		word.PutUint32(body[16+64:], 2)
	case fuseStatfs:
		body = make([]byte, 80)
	case fuseOpendir:
		body = make([]byte, 16)
	case fuseReaddir, fuseRelease: // which end at once
	default:
		number = -int32(unix.ENOENT)
	}
	reply := make([]byte, 16, 16+len(body))
	word.PutUint32(reply, uint32(16+len(body)))
	word.PutUint32(reply[4:], uint32(number))
	copy(reply[8:], request[8:16]) // unique
	unix.Write(f.fd, append(reply, body...))
}
