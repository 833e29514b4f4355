//go:build linux && cgo

package pamhelper

/*
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// close_inherited closes what this process has inherited besides standard input, output, error and
// wire.Descriptor, so that no module gets it. It runs before Go opens descriptors of its own.
__attribute__((constructor)) static void close_inherited(void) {
	syscall(SYS_close_range, 4, UINT_MAX, 0);
}
*/
import "C"
