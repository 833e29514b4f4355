// Package impersonate runs single calls with the identity of another user.
package impersonate

// Credentials name a system identity; they are plain numbers, so they may cross the monitor.
type Credentials struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary groups
}
