//go:build linux && cgo

package pamhelper

/*
#cgo LDFLAGS: -lpam
#include <security/pam_appl.h>

static void no_delay(int status, unsigned int microseconds, void *data) {}

static void suppress_delay(void *handle) {
	pam_set_item(handle, PAM_FAIL_DELAY, (const void *)no_delay);
}
*/
import "C"

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/msteinert/pam/v2"

	"ftpd/pkg/unixauth/internal/wire"
)

// suppressDelay prevents pam_authenticate from sleeping after a failure. ftpd delays every
// refusal itself, and the cause must be in the log before that. PAM accepts a function for
// this, but the Go package cannot pass it, and its handle is private. If the field of the
// handle gets another name, the helper sleeps as long as PAM requests, and reportWaiting
// reports it.
func suppressDelay(t *pam.Transaction) {
	if h := reflect.ValueOf(t).Elem().FieldByName("handle"); h.Kind() == reflect.Pointer {
		C.suppress_delay(h.UnsafePointer())
	}
}

const pollInterval = 50 * time.Millisecond

// reportWaiting reports to ftpd, once, that the login only waits: for a directory server, for
// another factor, or for PAM's delay. That is the case when the thread that runs PAM is found
// asleep twice and has no child. It has a child where pam_unix runs unix_chkpwd for the
// hashing, as under SELinux.
func reportWaiting(c *wire.Conn, thread int) {
	task := fmt.Sprintf("/proc/self/task/%d/", thread)
	for asleep := 0; asleep < 2; {
		time.Sleep(pollInterval)
		if isWaiting(task) {
			asleep++
		} else {
			asleep = 0
		}
	}
	c.Send(wire.Reply{Waiting: true}) // if the socket is closed, the login ends anyway
}

// isWaiting reports whether a thread sleeps in the kernel without having a child. The thread
// is given by its directory in /proc.
func isWaiting(task string) bool {
	stat, err := os.ReadFile(task + "stat")
	if err != nil {
		return false
	}
	children, err := os.ReadFile(task + "children")
	if err != nil || len(children) > 0 {
		return false
	}
	_, state, _ := bytes.Cut(stat, []byte(") "))
	return bytes.HasPrefix(state, []byte("S"))
}
