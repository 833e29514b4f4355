// Package sandbox starts a process that the kernel confines: it opens files in the directories that are
// served and no others, and holds no capability but those it is given. What that leaves open, as long as
// there is no seccomp filter, is in docs/processes.md. Each layer is probed; what this kernel lacks is
// reported, never silently left out.
package sandbox

// OpenCommand is the argument with which a program that uses Opener calls ServeOpen with those that follow.
const OpenCommand = "open-roots"

// A Confinement is what a process may still reach.
type Confinement struct {
	Roots    []Root    // may be read and written, as the user's rights allow; those with an error are left out
	Shown    []Root    // may be read, likewise
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
}

func (l Layers) String() string {
	if l.Landlock == "" {
		return "none"
	}
	return l.Landlock
}
