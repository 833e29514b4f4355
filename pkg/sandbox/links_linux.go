package sandbox

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the links on the way to a root, as the kernel does.
const maxLinks = 40

// openTrusting opens a path with O_PATH, as a root. It follows only links that no user can have
// made, because what a link leads to is granted to all users: one that belongs to root or to the
// user of this process, or that is in a directory where no other user may write. For other links,
// and for too many of them, it returns ELOOP.
//
// The links are resolved here. The last open, by a path without links, fails if a directory on the
// way was exchanged by a link meanwhile.
func openTrusting(path string) (fd int, err error) {
	for range maxLinks {
		fd, err = openPlain(path, 0)
		if err != unix.ELOOP {
			return fd, err
		}
		if path, err = followFirst(path); err != nil {
			return -1, err
		}
	}
	return -1, unix.ELOOP
}

// openPlain opens a path without links with O_PATH. For a path with a link, it returns ELOOP. With
// O_NOFOLLOW in flags, a link at the end is opened itself.
func openPlain(path string, flags uint64) (fd int, err error) {
	return unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_NO_SYMLINKS,
	})
}

// followFirst replaces the first link in a path by its target. It returns ELOOP for a link that is
// not trusted.
func followFirst(path string) (string, error) {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		fd, err := openPlain(path[:end], unix.O_NOFOLLOW)
		if err != nil {
			return "", err
		}
		target, err := readTrusted(fd, filepath.Dir(path[:end]))
		unix.Close(fd)
		switch {
		case err != nil:
			return "", err
		case filepath.IsAbs(target):
			return target + path[end:], nil
		case target != "":
			return filepath.Dir(path[:end]) + "/" + target + path[end:], nil
		}
	}
	return path, nil // the link is no link any more
}

// readTrusted returns the target of a link, and "" for any other file. It returns ELOOP for a link
// that is not trusted. dir is the directory of the link.
func readTrusted(fd int, dir string) (string, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", err
	}
	if !ours(st.Uid) {
		at, err := openPlain(dir, unix.O_DIRECTORY)
		if err != nil {
			return "", err
		}
		defer unix.Close(at)
		if err := unix.Fstat(at, &st); err != nil {
			return "", err
		}
		if !ours(st.Uid) || st.Mode&0o022 != 0 {
			return "", unix.ELOOP
		}
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	return string(buf[:max(n, 0)]), err
}

// ours reports whether a user is root or the user of this process.
func ours(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }
