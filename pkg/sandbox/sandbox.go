// Package sandbox starts a process that the kernel confines: it opens files in the directories that are
// served and no others, and holds no capability but those it is given. What that leaves open, as long as
// there is no seccomp filter, is in docs/processes.md. Each layer is probed; what this kernel lacks is
// reported, never silently left out.
package sandbox

import (
	"path/filepath"

	"ftpd/pkg/config"
)

// A Confinement is what a process may still reach.
type Confinement struct {
	Roots    []string  // directories of the host that may be read and written, as the user's rights allow
	ReadOnly []string  // directories or files of the host that may be read
	Logs     []string  // directories of the host where files may be made and written
	Sockets  []string  // directories of the host where sockets may be made and removed
	Keep     []uintptr // capabilities that stay in the bounding set; all others leave it. Nil touches none
	Bare     bool      // no Landlock: the paths mean nothing
}

// NetBindService is CAP_NET_BIND_SERVICE: to listen on a port below 1024.
const NetBindService = 10

// Layers tells what confines a process.
type Layers struct {
	Landlock string   // "landlock ABI 7", or "" and Missing says why
	Missing  []string // one sentence for each layer that is not there
	Skipped  []string // roots that do not exist, which a later start would grant
}

func (l Layers) String() string {
	if l.Landlock == "" {
		return "none"
	}
	return l.Landlock
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
