//go:build unix

package supervisor

import (
	"os"
	"syscall"
)

// clearUmask sets the umask of the process to 0, because each session applies a umask of its own.
func clearUmask() { syscall.Umask(0) }

// inheritable returns a descriptor of f that stays open in the next program of this process.
func inheritable(f *os.File) (fd int, err error) { return syscall.Dup(int(f.Fd())) }
