package supervisor

import (
	"maps"

	"golang.org/x/sys/unix"

	"ftpd/pkg/sandbox"
)

// Landlock knows directories, not paths: where a file system is mounted over a root, or taken away from it, the path names another
// directory, and a core that was confined before is refused there. So such a change starts a new generation.

// A place is what a path names.
type place struct {
	device uint64
	inode  uint64
}

// places tells what the roots name now. Those that name nothing are missing.
func places(roots []string) map[string]place {
	found := map[string]place{}
	for _, root := range sandbox.Expand(roots, sandbox.TopNames()) {
		var st unix.Stat_t
		if unix.Stat(root, &st) == nil {
			found[root] = place{st.Dev, st.Ino}
		}
	}
	return found
}

// watchMounts sends when the table of mounts changed in a way that the roots name other directories. Its goroutine ends with the
// process, or where there is no table to watch.
func watchMounts(roots []string) <-chan struct{} {
	changed := make(chan struct{}, 1)
	fd, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return changed // no /proc: nothing tells
	}
	before := places(roots)
	go func() {
		defer unix.Close(fd)
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}, -1)
			if err != nil && err != unix.EINTR {
				return
			}
			now := places(roots)
			if maps.Equal(before, now) {
				continue
			}
			before = now
			select {
			case changed <- struct{}{}:
			default: // one is waiting already
			}
		}
	}()
	return changed
}
