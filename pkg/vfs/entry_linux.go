//go:build linux && !osroot

package vfs

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// entryOf converts the result of statx(2) to an Entry without a name.
func entryOf(st *unix.Statx_t) Entry {
	return Entry{
		Mode:    fileMode(uint32(st.Mode)),
		Size:    int64(st.Size),
		ModTime: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)),
		Links:   uint64(st.Nlink),
		UID:     st.Uid,
		GID:     st.Gid,
		Dev:     unix.Mkdev(st.Dev_major, st.Dev_minor),
		Ino:     st.Ino,
		Created: createdOf(st),
	}
}

func createdOf(st *unix.Statx_t) time.Time {
	if st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
}

// fileMode converts st_mode to an fs.FileMode.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode&0o777) | fileType(mode&unix.S_IFMT)
	if mode&unix.S_ISUID != 0 {
		m |= fs.ModeSetuid
	}
	if mode&unix.S_ISGID != 0 {
		m |= fs.ModeSetgid
	}
	if mode&unix.S_ISVTX != 0 {
		m |= fs.ModeSticky
	}
	return m
}

func fileType(format uint32) fs.FileMode {
	switch format {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		return fs.ModeDevice
	}
	return fs.ModeIrregular
}
