//go:build unix && !linux

package trust

import (
	"io/fs"
	"os"
	"syscall"
)

// readOnly reports whether path is on a read-only mount, which is recognized on Linux only.
func readOnly(string) bool { return false }

// openWithoutLinks is os.OpenFile for a path whose last component is no symbolic link.
func openWithoutLinks(path string, flags int, mode fs.FileMode) (*os.File, error) {
	return os.OpenFile(path, flags|syscall.O_NOFOLLOW, mode)
}
