package vfs

import (
	"io/fs"
	"time"

	"ftpd/pkg/config"
)

// Chmod sets the mode (as of chmod(2), 0 to 0o7777) of the file or directory that name leads to.
// A directory keeps the setuid, setgid and sticky bits that it has, as with chmod(1). A file is
// never given one of these bits (ErrMode), because the kernel would allow it to its owner, and
// then every user could run a program as that owner.
//
// Chmod, Chgrp and SetTimes return the attributes after the change, because not every file system
// stores the given value or reports that it did not.
func (f *FS) Chmod(name string, mode uint32) (Entry, error) {
	const special = 0o7000
	return f.change("change mode", name, config.Chmod, func(n *node) error {
		switch {
		case n.entry.Mode.IsDir():
			return n.chmod(mode | UnixMode(n.entry.Mode)&special)
		case mode&special != 0:
			return ErrMode
		}
		return n.chmod(mode)
	})
}

// UnixMode returns a mode as of chmod(2), with the setuid, setgid and sticky bits.
func UnixMode(m fs.FileMode) uint32 {
	mode := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return mode
}

// Chgrp sets the group (0 to 1<<32-2) of the file or directory that name leads to. The kernel
// decides whether the user may: only the owner may, and only to a group that the owner is a member
// of.
func (f *FS) Chgrp(name string, gid uint32) (Entry, error) {
	return f.change("change group", name, config.Chmod, func(n *node) error { return n.chgrp(gid) })
}

// MayChgrp returns nil if name exists and the configuration permits Chgrp.
func (f *FS) MayChgrp(name string) error {
	_, err := f.change("change group", name, config.Chmod, func(*node) error { return nil })
	return err
}

// SetTimes sets the times of the last change and of the last access of the regular file that name
// leads to. Any other kind of file is ErrNotRegular.
func (f *FS) SetTimes(name string, t time.Time) (Entry, error) {
	return f.change("set times", name, config.Touch, func(n *node) error {
		if !n.entry.Mode.IsRegular() {
			return ErrNotRegular
		}
		return n.setTimes(t)
	})
}

// change resolves name, checks that the user has the permission want there, runs act, and returns
// the attributes after it.
func (f *FS) change(
	op, name string, want config.Permissions, act func(*node) error,
) (after Entry, err error) {
	err = f.on(op, name, want, func(at location) error {
		n, err := at.root.node(at.Rel)
		if err != nil {
			return err
		}
		defer n.close()
		if err := at.Permit(n.place, want); err != nil {
			return err
		}
		if err := act(n); err != nil {
			return attributeKind(err)
		}
		after, err = n.describe()
		return err
	})
	return after, err
}

// attributeKind is kind for a call on a node. The name of a node is known to be possible, so what
// kind takes for an impossible name is an impossible group (such as one without a mapping), mode or
// time.
func attributeKind(err error) error {
	if k := kind(err); k != ErrName {
		return k
	}
	return ErrCannot
}

// SetUmask sets the umask (0 to 0o777) for files and directories that are made later.
func (f *FS) SetUmask(mask config.Mode) { f.umask.Store(uint32(mask) & 0o777) }

// Umask returns the current umask.
func (f *FS) Umask() config.Mode { return config.Mode(f.umask.Load()) }
