package vfs

import (
	"io/fs"
	"path/filepath"
)

const nonblock = 0

// localize turns a relative FTP path into one of the system's, which has no backslashes, colons or reserved names in it.
func localize(rel string) (string, error) { return filepath.Localize(rel) }

// entryOf is what the system told, without a name. Owners are no numbers there.
func entryOf(info fs.FileInfo) Entry {
	return Entry{Mode: info.Mode(), Size: info.Size(), ModTime: info.ModTime(), Links: 1}
}
