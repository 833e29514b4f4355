// Package sandbox starts a process that the kernel confines: it reaches the directories that are served and nothing else, and holds
// no capability but those it is given. Each layer is probed; what this kernel lacks is reported, never silently left out.
package sandbox

import (
	"path/filepath"
	"slices"
	"strings"
)

// A Confinement is what a process may still reach.
type Confinement struct {
	Roots    []string  // directories of the host that may be read and written, as the user's rights allow
	ReadOnly []string  // directories or files of the host that may be read
	Keep     []uintptr // capabilities that stay in the bounding set; all others leave it. Nil touches none
	Bare     bool      // no Landlock: Roots and ReadOnly mean nothing
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

// neverWhole are left out where a root is "/": they hold the machine's secrets and controls, so they are served only if they are named.
var neverWhole = []string{"/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys"}

// never are not served even if they are named: their files are doors into the kernel.
var never = []string{"/proc", "/sys"}

// Expand gives the directories that roots stand for: "/" is each directory below it but those of neverWhole (names are the entries of
// "/"); a root at or below one of never is dropped.
func Expand(roots, names []string) []string {
	var out []string
	for _, root := range roots {
		root = filepath.Clean(root)
		switch {
		case within(root, never):
		case root == "/":
			for _, name := range names {
				if dir := "/" + name; !slices.Contains(neverWhole, dir) {
					out = append(out, dir)
				}
			}
		default:
			out = append(out, root)
		}
	}
	return out
}

func within(path string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		return path == dir || strings.HasPrefix(path, dir+"/")
	})
}
