//go:build linux && cgo

package pamhelper

/*
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

// give_up_capabilities runs before the Go runtime starts threads, because each thread has
// attributes of its own. From then on, no program that this process executes gets a capability
// or another user's rights. The variable is wire.Unprivileged.
__attribute__((constructor)) static void give_up_capabilities(void) {
	if (getenv("FTPD_AUTH_UNPRIVILEGED") == NULL)
		return;
	int failed = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int capability = 0; !failed && capability < 64; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) // after the last capability of this kernel
			return;
		failed = 1;
	}
	if (failed) {
		perror("ftpd-auth names: give up capabilities");
		_exit(1);
	}
}
*/
import "C"
