//go:build unix

package supervisor

import "syscall"

// clearUmask sets the umask of the process to 0, because each session applies a umask of its own.
func clearUmask() { syscall.Umask(0) }
