package vfs

import (
	"io/fs"
	"time"

	"ftpd/pkg/config"
)

// An Entry describes a file, directory or link.
type Entry struct {
	Name    string // the last component; "/" for the root of the view
	Mode    fs.FileMode
	Size    int64 // bytes
	ModTime time.Time
	Created time.Time // zero if unknown, or not requested
	Links   uint64    // hard links; 1 if unknown
	UID     uint32    // 0 if the system has no numbers for owners
	GID     uint32
	Dev     uint64 // with Ino the identity of the file; both 0 if unknown
	Ino     uint64
	Target  string // of a link that was not followed

	// Granted is what the configuration permits where the entry is. Listings have it with the
	// detail Targets only. For the target of a link, Delete and Rename are those of the link.
	Granted config.Permissions

	// Unknown is the reason why a listing has only the name of the entry and its type, which
	// is ModeIrregular if it is unknown too. It is nil if all is known.
	Unknown error
}
