package trust

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// readOnly reports whether path is on a read-only mount.
func readOnly(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Flags&unix.ST_RDONLY != 0
}

// openWithoutLinks is os.OpenFile for a path without symbolic links: a link in it is ELOOP.
func openWithoutLinks(path string, flags int, mode fs.FileMode) (*os.File, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_NO_SYMLINKS,
	}
	if flags&os.O_CREATE != 0 {
		how.Mode = uint64(mode)
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}
