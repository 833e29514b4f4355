//go:build unix

package main

import (
	"os"
	"runtime"
	"strings"
	"unsafe"
)

// A section of a user's identity that cannot be undone ends its thread, and the main thread is the one that cannot end. So the main
// goroutine keeps it to itself (see package impersonate).
func init() { runtime.LockOSThread() }

// hideArgument overwrites an argument of the program in the memory where the list of processes reads it; *value, a part of it, becomes
// a copy. Any other value stays as it is.
func hideArgument(value *string) {
	shown := *value
	*value = strings.Clone(shown)
	for _, arg := range os.Args {
		if strings.HasSuffix(arg, shown) && shown != "" && unsafe.StringData(arg[len(arg)-len(shown):]) == unsafe.StringData(shown) {
			clear(unsafe.Slice(unsafe.StringData(shown), len(shown)))
			return
		}
	}
}
