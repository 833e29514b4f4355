//go:build linux && cgo

package pamhelper

/*
#cgo LDFLAGS: -lpam
#include <security/pam_appl.h>

static void no_delay(int status, unsigned int microseconds, void *data) {}

static void take_delay_over(void *handle) {
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

// takeDelayOver keeps pam_authenticate from sleeping after a failure: ftpd makes every refusal wait itself, and the log wants the
// cause before that. PAM takes a function for this, which the library has no way to pass on, and its handle is private; should it
// change its name, the helper sleeps as long as PAM wishes, and report says so.
func takeDelayOver(t *pam.Transaction) {
	if h := reflect.ValueOf(t).Elem().FieldByName("handle"); h.Kind() == reflect.Pointer {
		C.take_delay_over(h.UnsafePointer())
	}
}

const glance = 50 * time.Millisecond

// report tells ftpd, once, that the login only waits: for a directory server, another factor, or PAM's own delay. That is so when PAM's
// thread is found asleep twice, and not for a child (pam_unix under SELinux has unix_chkpwd do the hashing).
func report(c *wire.Conn, thread int) {
	task := fmt.Sprintf("/proc/self/task/%d/", thread)
	for asleep := 0; asleep < 2; {
		time.Sleep(glance)
		if sleeps(task) {
			asleep++
		} else {
			asleep = 0
		}
	}
	c.Send(wire.Reply{Waiting: true}) // a closed socket ends the login, too
}

// sleeps tells whether a thread, given by its directory in /proc, waits for something that is not a child.
func sleeps(task string) bool {
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
