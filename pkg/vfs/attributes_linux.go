//go:build linux && !osroot

package vfs

import (
	"time"

	"golang.org/x/sys/unix"
)

// A node is a file or directory whose attributes are changed, held by a descriptor that only names it.
type node struct {
	root  *root
	fd    int
	entry Entry
	place string
}

// node opens what rel leads to.
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

// now describes the node anew, past what a network's or a user's file system keeps in a cache.
func (n *node) now() (Entry, error) {
	var st unix.Statx_t
	err := n.root.statxAnew(n.fd, &st)
	return entryOf(&st), err
}

func (n *node) close() { n.root.kernel.close(n.fd) }

func (n *node) chmod(mode uint32) error { return n.root.kernel.chmod(n.fd, mode) }

func (n *node) chgrp(gid uint32) error { return n.root.kernel.chgrp(n.fd, gid) }

func (n *node) setTimes(t time.Time) error { return n.root.kernel.setTimes(n.fd, t) }

// chmod changes what fd names. Before Linux 6.6 there is no call for that (an old container says EPERM to it), but the way through
// /proc. fchmod(2) refuses such descriptors.
func (k kernel) chmod(fd int, mode uint32) error {
	err := k.call("fchmodat2", func() error { return unix.Fchmodat(fd, "", mode, unix.AT_EMPTY_PATH) })
	switch err {
	case unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM:
		return k.call("chmod", func() error { return unix.Chmod(descriptor(fd), mode) })
	}
	return err
}

// chgrp changes the group of what fd names, and not its owner.
func (k kernel) chgrp(fd int, gid uint32) error {
	return k.call("fchownat", func() error { return unix.Fchownat(fd, "", -1, int(gid), unix.AT_EMPTY_PATH) })
}

// setTimes sets both times of what fd names; before Linux 5.8 through /proc.
func (k kernel) setTimes(fd int, t time.Time) error {
	at, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	both := []unix.Timespec{at, at}
	err = k.call("utimensat", func() error { return unix.UtimesNanoAt(fd, "", both, unix.AT_EMPTY_PATH) })
	if err == unix.EINVAL {
		err = k.call("utimensat", func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, descriptor(fd), both, 0) })
	}
	return err
}
