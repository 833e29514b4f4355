//go:build linux && !osroot

package vfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// exactNames reports whether each name is known to have only one spelling, as on the file systems
// below, except in directories with the casefold flag and on an XFS that was made to ignore case.
func (p *parent) exactNames() bool {
	var st unix.Statfs_t
	if p.root.fstatfs(p.fd, &st) != nil {
		return false
	}
	switch int64(st.Type) {
	case unix.BTRFS_SUPER_MAGIC:
		return true
	case unix.EXT4_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.F2FS_SUPER_MAGIC:
		const casefold = 0x40000000 // FS_CASEFOLD_FL
		var flags [2]uint32         // the kernel writes one half or both
		err := p.ioctl(unix.FS_IOC_GETFLAGS, unsafe.Pointer(&flags))
		return err == nil && flags[0]&casefold == 0
	case unix.XFS_SUPER_MAGIC:
		const geometry = 0x80705864 // XFS_IOC_FSGEOMETRY_V1
		const foldsASCII = 1 << 12  // XFS_FSOP_GEOM_FLAGS_DIRV2CI
		var about struct {
			_     [92]byte
			flags uint32
			_     [16]byte
		}
		return p.ioctl(geometry, unsafe.Pointer(&about)) == nil && about.flags&foldsASCII == 0
	}
	return false
}

// ioctl makes an ioctl(2) on the directory, which the user must be able to read.
func (p *parent) ioctl(request uintptr, result unsafe.Pointer) error {
	dir, err := p.reader()
	if err != nil {
		return err
	}
	defer dir.close()
	return p.root.call("ioctl", func() error {
		_, _, number := unix.Syscall(unix.SYS_IOCTL, uintptr(dir.fd), request, uintptr(result))
		if number != 0 {
			return number
		}
		return nil
	})
}
