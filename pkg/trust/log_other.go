//go:build !unix

package trust

import "os"

// OpenLog opens a file for appending. If create is true, it creates a missing file.
func OpenLog(path string, create bool) (*os.File, error) {
	flags := os.O_WRONLY | os.O_APPEND
	if create {
		flags |= os.O_CREATE
	}
	return os.OpenFile(path, flags, 0o640)
}
