//go:build unix

package main

import (
	"runtime"
	"syscall"
)

// A section of a user's identity that cannot be undone ends its thread, and the main thread is the one that cannot end. So the main
// goroutine keeps it to itself (see package impersonate).
func init() { runtime.LockOSThread() }

// clearUmask leaves the modes of new files to the sessions, each of which has a umask of its own.
func clearUmask() { syscall.Umask(0) }
