package vfs

import (
	"io/fs"
	"time"

	"ftpd/pkg/config"
)

// Chmod gives what name leads to the mode, which is as of chmod(2): 0 to 0o7777. A directory keeps its setuid, setgid and sticky bits
// where the mode has none, as under chmod(1). A file is never given one: the kernel would let its owner, and then anybody could run
// a program as him (ErrMode).
//
// Chmod, Chgrp and SetTimes return what is there afterwards: not every file system takes what it is given, or says so.
func (f *FS) Chmod(name string, mode uint32) (Entry, error) {
	const special = 0o7000
	return f.change("change mode", name, config.Chmod, func(n *node) error {
		switch {
		case n.entry.Mode.IsDir():
			return n.chmod(mode | specialBits(n.entry.Mode))
		case mode&special != 0:
			return ErrMode
		}
		return n.chmod(mode)
	})
}

// specialBits are the bits of a mode beyond the nine permissions, as of chmod(2).
func specialBits(m fs.FileMode) (bits uint32) {
	if m&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// Chgrp gives what name leads to to the group gid (0 to 1<<32-2). The kernel decides whether the user may: the owner, to a group that
// he is a member of.
func (f *FS) Chgrp(name string, gid uint32) (Entry, error) {
	return f.change("change group", name, config.Chmod, func(n *node) error { return n.chgrp(gid) })
}

// MayChgrp says whether Chgrp would find name and the configuration permit it.
func (f *FS) MayChgrp(name string) error {
	_, err := f.change("change group", name, config.Chmod, func(*node) error { return nil })
	return err
}

// SetTimes sets the times of the last change and the last access of the regular file that name leads to (else ErrNotRegular).
func (f *FS) SetTimes(name string, t time.Time) (Entry, error) {
	return f.change("set times", name, config.Touch, func(n *node) error {
		if !n.entry.Mode.IsRegular() {
			return ErrNotRegular
		}
		return n.setTimes(t)
	})
}

// change finds what name leads to, asks for what the user needs there, runs act on it, and describes it anew.
func (f *FS) change(op, name string, want config.Permissions, act func(*node) error) (now Entry, err error) {
	err = f.on(op, name, want, func(at location) error {
		n, err := at.root.node(at.rel)
		if err != nil {
			return err
		}
		defer n.close()
		if err := f.permit(at.mount, n.place, want); err != nil {
			return err
		}
		if err := act(n); err != nil {
			return attributeKind(err)
		}
		now, err = n.now()
		return err
	})
	return now, err
}

// attributeKind is kind for a call on a node, whose name is known to be possible: what is not is the group, as where none is mapped to
// it, the mode or the time.
func attributeKind(err error) error {
	if k := kind(err); k != ErrName {
		return k
	}
	return ErrCannot
}

// SetUmask sets the umask (0 to 0o777) for what is made from now on.
func (f *FS) SetUmask(mask config.Mode) { f.umask.Store(uint32(mask) & 0o777) }

// Umask is the umask in force.
func (f *FS) Umask() config.Mode { return config.Mode(f.umask.Load()) }
