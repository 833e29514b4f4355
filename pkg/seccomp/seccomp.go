// Package seccomp limits the system calls of a core. The list of permitted calls, with a reason for
// each line, is in calls_linux.go.
package seccomp

// A Filter names the uids that a core may take around calls on files. All else that it permits is the
// same for every core.
type Filter struct {
	MinUID uint32   `json:"min_uid"` // uids from here on
	UIDs   []uint32 `json:"uids"`    // further uids: that of the process, and those of run_as
}
