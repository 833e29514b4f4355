//go:build linux || darwin

package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeAt returns how many bytes an ordinary user could store on the file system of an open file.
func freeAt(file *os.File) (free int64, err error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var st unix.Statfs_t
	failed := raw.Control(func(fd uintptr) {
		for err = unix.EINTR; err == unix.EINTR; {
			err = unix.Fstatfs(int(fd), &st)
		}
	})
	if failed != nil {
		return 0, failed
	}
	return available(&st), err
}
