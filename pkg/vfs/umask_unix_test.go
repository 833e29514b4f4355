//go:build !windows

package vfs

import "syscall"

// The umask of the process is 0, as in the service.
func init() { syscall.Umask(0) }
