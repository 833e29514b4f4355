// Package sandbox starts a process that the kernel confines. The process opens files only in the
// directories that are served, and has only the capabilities that it is given. What is still
// possible without a seccomp filter is described in docs/processes.md. Each layer is probed, and a
// layer that this kernel lacks is reported.
package sandbox

import (
	"slices"
	"strings"
)

// OpenCommand is the first argument of the process that an Opener starts. A program that uses an
// Opener calls ServeOpen with the arguments after it.
const OpenCommand = "open-roots"

// A Confinement holds what a confined process can reach.
type Confinement struct {
	Roots    []Root    // readable and writable; roots with an error are left out
	Shown    []Root    // readable; roots with an error are left out
	ReadOnly []string  // readable directories and files of the host
	Logs     []string  // directories of the host in which files can be made and written
	Sockets  []string  // directories of the host in which sockets can be made and removed
	Keep     []uintptr // the new bounding set of capabilities; nil: it stays unchanged
	Bare     bool      // without Landlock; the paths have no effect
}

// NetBindService is CAP_NET_BIND_SERVICE, which allows to listen on a port below 1024.
const NetBindService = 10

// Layers names the layers that confine a process.
type Layers struct {
	Landlock string   // "landlock ABI 7", or "" without it
	Seccomp  string   // "seccomp", or "" without it
	Missing  []string // one sentence for each missing layer
}

// Names returns the names of the layers.
func (l Layers) Names() []string {
	return slices.DeleteFunc([]string{l.Landlock, l.Seccomp}, func(s string) bool { return s == "" })
}

func (l Layers) String() string {
	if names := l.Names(); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "none"
}
