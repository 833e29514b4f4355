package vfs

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"time"
)

const nonblock = 0

// localize turns a relative FTP path into one of the system's, which has no backslashes, colons or reserved names in it.
func localize(rel string) (string, error) { return filepath.Localize(rel) }

// entryOf is what the system told, without a name. Owners are no numbers there.
func entryOf(info fs.FileInfo) Entry {
	e := Entry{Mode: info.Mode(), Size: info.Size(), ModTime: info.ModTime(), Links: 1}
	if d, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		e.Created = time.Unix(0, d.CreationTime.Nanoseconds())
	}
	return e
}
