package sandbox

import (
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// KeepInherited keeps descriptors that the program has inherited, besides standard input, output
// and error, from the programs that it starts. A shell or a service manager may have left files
// open that no core and no helper may read.
func KeepInherited() error {
	const first = 3
	if unix.CloseRange(first, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	open, err := os.ReadDir("/proc/self/fd") // before Linux 5.11
	for _, link := range open {
		if fd, err := strconv.Atoi(link.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return err
}
