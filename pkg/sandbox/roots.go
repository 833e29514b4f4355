package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"ftpd/pkg/config"
)

// A Root is a directory of the host as Open found it.
type Root struct {
	Path string
	Real string // with all links resolved; Path where Err is set
	Dir  bool   // it is a directory
	Err  error  // why it cannot be used: ErrSilent, or what its file system answered

	file *os.File // names it, so that no file system is asked for it again; nil with Err
}

// ErrSilent is the error of a root whose file system does not answer: its server cannot be reached,
// or its program (FUSE) hangs.
var ErrSilent = errors.New("its file system does not answer")

// patience is how long Open waits for the slowest of all roots.
const patience = 5 * time.Second

// Look opens the paths with an Opener of its own.
func Look(ctx context.Context, paths ...string) ([]Root, error) {
	o, err := NewOpener()
	if err != nil {
		return nil, err
	}
	return o.Open(ctx, paths, func(string) string { return "" })
}

// Close gives the descriptors of roots back.
func Close(roots []Root) {
	for _, r := range roots {
		if r.file != nil {
			r.file.Close()
		}
	}
}

// Expand gives the directories that roots stand for: "/" is each directory below it for which config.ByRoot holds (names are the
// entries of "/"); what is never served is dropped.
func Expand(roots, names []string) []string {
	var out []string
	for _, root := range roots {
		root = filepath.Clean(root)
		switch {
		case config.NeverServed(root):
		case root == "/":
			for _, name := range names {
				if dir := "/" + name; config.ByRoot(dir) {
					out = append(out, dir)
				}
			}
		default:
			out = append(out, root)
		}
	}
	return out
}

// TopNames are the entries of "/", for roots that hold "/". An error leaves the list empty, so that nothing is granted.
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
