package sandbox

import (
	"context"
	"errors"
	"os"
	"time"
)

// A Root is a directory of the host, with the result of opening it.
type Root struct {
	Path string
	Real string // the path with all links resolved; Path if Err is set
	Dir  bool   // it is a directory
	Err  error  // why it cannot be used: ErrSilent, or the error of its file system

	file *os.File // opened with O_PATH, so that the file system is not needed again; nil with Err
}

// ErrSilent is the error of a root on a file system that does not answer: a server that cannot be
// reached, or a FUSE program that hangs.
var ErrSilent = errors.New("its file system does not answer")

// ErrLink is the error of a root to which a symbolic link leads that users may have made.
var ErrLink = errors.New("a symbolic link leads there (or to a directory above it) that belongs to " +
	"another user than root, in a directory where others may write: chown -h root the link")

// patience is how long Open waits for the slowest root.
const patience = 5 * time.Second

// Look opens the paths with a new Opener.
func Look(ctx context.Context, paths ...string) ([]Root, error) {
	o, err := NewOpener()
	if err != nil {
		return nil, err
	}
	return o.Open(ctx, paths, func(string) string { return "" })
}

// Close closes the descriptors of roots.
func Close(roots []Root) {
	for _, r := range roots {
		if r.file != nil {
			r.file.Close()
		}
	}
}

// TopNames returns the names of the entries of "/", which the root "/" stands for. It returns none
// after an error, so that access to none is granted.
func TopNames() []string {
	entries, err := os.ReadDir("/")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}
