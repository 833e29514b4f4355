package vfs

import (
	"io/fs"
	"time"
)

// An Entry describes a file, directory or link.
type Entry struct {
	Name    string // the last component; "/" for the root of the view
	Mode    fs.FileMode
	Size    int64 // bytes
	ModTime time.Time
	Created time.Time // zero where the system does not say, or was not asked
	Links   uint64    // hard links; 1 where the system does not say
	UID     uint32    // 0 where the system has no numbers for owners
	GID     uint32
	Dev     uint64 // with Ino the file's identity; both 0 where the system does not say
	Ino     uint64
	Target  string // of a link that was not followed

	// Unknown is why a listing has no more than the name, and of the mode the type: ModeIrregular
	// where that is not known either. nil: all is known.
	Unknown error
}
