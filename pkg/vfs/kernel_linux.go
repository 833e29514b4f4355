//go:build linux && !osroot

package vfs

import (
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A kernel makes the system calls on users' files, each through one of its methods, so that a test
// can fail or delay each call.
type kernel struct{ faults Faults }

// call makes one system call. It repeats a call that a signal interrupted.
func (k kernel) call(name string, f func() error) error {
	if err := k.faults.check(name); err != nil {
		return err
	}
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// close closes a descriptor. It was used for reading or to name a place only, so an error is of no
// interest.
func (k kernel) close(fd int) { _ = unix.Close(fd) }

// open opens a directory of the host with O_PATH.
func (k kernel) open(dir string) (fd int, err error) {
	err = k.call("open", func() error {
		fd, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// openat2 opens rel below dir, with dir as the root of the resolution.
func (k kernel) openat2(dir int, rel string, flags int) (fd int, err error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	err = k.call("openat2", func() error {
		fd, err = unix.Openat2(dir, rel, &how)
		return err
	})
	return fd, err
}

// reopen opens the file behind fd, which was opened with O_PATH. The kernel checks the permissions
// of the file as for any open.
func (k kernel) reopen(fd, flags int) (opened int, err error) {
	err = k.call("open", func() error {
		opened, err = unix.Open(descriptor(fd), flags|unix.O_CLOEXEC, 0)
		return err
	})
	return opened, err
}

// openat opens one component of dir. A link is not followed.
func (k kernel) openat(dir int, name string, flags int, mode uint32) (fd int, err error) {
	err = k.call("openat", func() error {
		fd, err = unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// statx describes the file behind fd.
func (k kernel) statx(fd int, st *unix.Statx_t) error {
	var empty byte
	return k.statxAt(fd, &empty, unix.STATX_BASIC_STATS, st)
}

// created returns when the file behind fd was created, and zero if the file system does not store
// it.
func (k kernel) created(fd int) (time.Time, error) {
	var empty byte
	var st unix.Statx_t
	err := k.statxAt(fd, &empty, unix.STATX_BTIME, &st)
	return createdOf(&st), err
}

// statxAnew is statx with a fresh result from a network or FUSE file system.
func (k kernel) statxAnew(fd int, st *unix.Statx_t) error {
	var empty byte
	return k.statxCall(fd, &empty, unix.AT_STATX_FORCE_SYNC, unix.STATX_BASIC_STATS, st)
}

// statxAt describes one component of dir without following a link. The name ends with a NUL. It is
// a pointer, so that a listing need not copy each name.
func (k kernel) statxAt(dir int, name *byte, mask uintptr, st *unix.Statx_t) error {
	return k.statxCall(dir, name, 0, mask, st)
}

func (k kernel) statxCall(dir int, name *byte, sync, mask uintptr, st *unix.Statx_t) error {
	const flags = unix.AT_EMPTY_PATH | unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	return k.call("statx", func() error {
		_, _, number := unix.Syscall6(unix.SYS_STATX, uintptr(dir), uintptr(unsafe.Pointer(name)),
			flags|sync, mask, uintptr(unsafe.Pointer(st)), 0)
		if number != 0 {
			return number
		}
		return nil
	})
}

func (k kernel) fstatfs(fd int, st *unix.Statfs_t) error {
	return k.call("fstatfs", func() error { return unix.Fstatfs(fd, st) })
}

func (k kernel) getdents(fd int, buf []byte) (n int, err error) {
	err = k.call("getdents64", func() error {
		n, err = unix.Getdents(fd, buf)
		return err
	})
	return n, err
}

// readlinkat reads the link with that name in dir, or dir itself if the name is empty.
func (k kernel) readlinkat(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n := 0
	err := k.call("readlinkat", func() (err error) {
		n, err = unix.Readlinkat(dir, name, buf)
		return err
	})
	if err == nil && n == len(buf) {
		err = unix.ENAMETOOLONG
	}
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// hostPath returns the path on the host of the file behind fd.
func (k kernel) hostPath(fd int) (string, error) {
	return k.readlinkat(unix.AT_FDCWD, descriptor(fd))
}

// hasXattr reports whether a directory has an extended attribute. It returns false if the file
// system has no such attributes, or if there is no /proc. It uses a path below /proc, because
// fgetxattr(2) refuses descriptors that are opened with O_PATH.
func (k kernel) hasXattr(fd int, name string) (bool, error) {
	size := 0
	err := k.call("getxattr", func() (err error) {
		size, err = unix.Getxattr(descriptor(fd), name, nil)
		return err
	})
	switch err {
	case unix.ENODATA, unix.EOPNOTSUPP, unix.ENOENT, unix.EACCES:
		return false, nil
	}
	return size > 0, err
}

func descriptor(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// faccessat2 checks access for the identity of the thread (AT_EACCESS), not for that of the
// process.
func (k kernel) faccessat2(dir int, name string, mode uint32, flags int) error {
	return k.call("faccessat2", func() error { return unix.Faccessat2(dir, name, mode, flags) })
}

func (k kernel) mkdirat(dir int, name string, mode uint32) error {
	return k.call("mkdirat", func() error { return unix.Mkdirat(dir, name, mode) })
}

func (k kernel) unlinkat(dir int, name string, flags int) error {
	return k.call("unlinkat", func() error { return unix.Unlinkat(dir, name, flags) })
}

func (k kernel) renameat2(dir int, name string, toDir int, toName string, flags uint) error {
	return k.call("renameat2", func() error {
		return unix.Renameat2(dir, name, toDir, toName, flags)
	})
}

// setFlags replaces the status flags of an open file.
func (k kernel) setFlags(fd, flags int) error {
	return k.call("fcntl", func() error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
		return err
	})
}
