package vfs

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

const nonblock = 0

// localize converts a relative FTP path to a path of the system, where backslashes, colons and
// reserved names are impossible.
func localize(rel string) (string, error) { return filepath.Localize(rel) }

// entryOf converts a FileInfo to an Entry without a name. Windows has no numbers for owners.
func entryOf(info fs.FileInfo) Entry {
	e := Entry{Mode: info.Mode(), Size: info.Size(), ModTime: info.ModTime(), Links: 1}
	if d, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		e.Created = time.Unix(0, d.CreationTime.Nanoseconds())
	}
	return e
}
