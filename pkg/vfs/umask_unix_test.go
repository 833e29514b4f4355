//go:build !windows

package vfs

import "syscall"

// The process has no umask of its own, as in the service.
func init() { syscall.Umask(0) }
