//go:build unix && (!linux || osroot)

package vfs

import (
	"io/fs"
	"syscall"
)

const nonblock = syscall.O_NONBLOCK

// localize turns a relative FTP path into one of the system's: any bytes are.
func localize(rel string) (string, error) { return rel, nil }

// entryOf is what lstat(2) told, without a name.
func entryOf(info fs.FileInfo) Entry {
	e := Entry{Mode: info.Mode(), Size: info.Size(), ModTime: info.ModTime(), Links: 1}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.Links, e.UID, e.GID, e.Dev, e.Ino = uint64(st.Nlink), st.Uid, st.Gid, uint64(st.Dev), st.Ino
	}
	return e
}
