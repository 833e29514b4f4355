//go:build unix

package main

import (
	"os"
	"runtime"
	"strings"
	"unsafe"
)

// A section of impersonate that cannot restore the identity ends its thread, but the main thread
// cannot be ended. So the main goroutine is locked to it, and no section runs there.
func init() { runtime.LockOSThread() }

// hideArgument overwrites an argument of the program in the memory from which the list of
// processes is read. *value is a part of the argument and becomes a copy. A value that is not
// part of an argument is not overwritten.
func hideArgument(value *string) {
	shown := *value
	*value = strings.Clone(shown)
	for _, arg := range os.Args {
		if shown != "" && strings.HasSuffix(arg, shown) &&
			unsafe.StringData(arg[len(arg)-len(shown):]) == unsafe.StringData(shown) {
			clear(unsafe.Slice(unsafe.StringData(shown), len(shown)))
			return
		}
	}
}
