//go:build unix && (!linux || osroot)

package vfs

import (
	"io/fs"
	"syscall"
)

const nonblock = syscall.O_NONBLOCK

// localize converts a relative FTP path to a path of the system, where any bytes are possible.
func localize(rel string) (string, error) { return rel, nil }

// entryOf converts the result of lstat(2) to an Entry without a name.
func entryOf(info fs.FileInfo) Entry {
	e := Entry{Mode: info.Mode(), Size: info.Size(), ModTime: info.ModTime(), Links: 1}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.Links, e.UID, e.GID = uint64(st.Nlink), st.Uid, st.Gid
		e.Dev, e.Ino = uint64(st.Dev), st.Ino
	}
	return e
}
