//go:build linux && !osroot

package vfs

import (
	"time"

	"golang.org/x/sys/unix"
)

// A node is a file or directory with attributes to change. Its descriptor is opened with O_PATH.
type node struct {
	root  *root
	fd    int
	entry Entry
	place string
}

// node opens the file or directory that rel leads to.
func (r *root) node(rel string) (*node, error) {
	fd, err := r.resolve(rel, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	n := &node{root: r, fd: fd}
	if n.entry, n.place, err = r.describe(fd); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// describe returns the current attributes. It bypasses the caches of network and FUSE file systems.
func (n *node) describe() (Entry, error) {
	var st unix.Statx_t
	err := n.root.statxAnew(n.fd, &st)
	return entryOf(&st), err
}

func (n *node) close() { n.root.kernel.close(n.fd) }

func (n *node) chmod(mode uint32) error { return n.root.kernel.chmod(n.fd, mode) }

func (n *node) chgrp(gid uint32) error { return n.root.kernel.chgrp(n.fd, gid) }

func (n *node) setTimes(t time.Time) error { return n.root.kernel.setTimes(n.fd, t) }

// chmod changes the mode of the file behind fd, which is opened with O_PATH; fchmod(2) refuses
// such descriptors. fchmodat2(2) exists since Linux 6.6, and an old container refuses it with
// EPERM. Then the path below /proc is used.
func (k kernel) chmod(fd int, mode uint32) error {
	err := k.call("fchmodat2", func() error {
		return unix.Fchmodat(fd, "", mode, unix.AT_EMPTY_PATH)
	})
	switch err {
	case unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM:
		return k.call("chmod", func() error { return unix.Chmod(descriptor(fd), mode) })
	}
	return err
}

// chgrp changes the group of the file behind fd, and not its owner.
func (k kernel) chgrp(fd int, gid uint32) error {
	return k.call("fchownat", func() error {
		return unix.Fchownat(fd, "", -1, int(gid), unix.AT_EMPTY_PATH)
	})
}

// setTimes sets both times of the file behind fd. Before Linux 5.8 it uses the path below /proc.
func (k kernel) setTimes(fd int, t time.Time) error {
	at, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	both := []unix.Timespec{at, at}
	err = k.call("utimensat", func() error {
		return unix.UtimesNanoAt(fd, "", both, unix.AT_EMPTY_PATH)
	})
	if err == unix.EINVAL {
		err = k.call("utimensat", func() error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, descriptor(fd), both, 0)
		})
	}
	return err
}
