package config

import (
	"net/netip"
	"time"
)

type (
	Duration     time.Duration
	Size         int64  // bytes; 0 is unlimited
	Rate         int64  // bytes per second; 0 is unlimited
	Mode         uint32 // permission bits, written "022"
	Date         string // YYYY-MM-DD; "" is never
	Hash         string // a password hash, as `ftpd passwd` prints it; prints as ***
	Backend      string // BackendUnix, …
	Sandbox      string
	RequireTLS   string
	TLSVersion   string
	ClientAuth   string
	SessionReuse string
	Publish      string
	LogLevel     string
	LogFormat    string
	HookEvent    string
)

// An Address is where a listener binds.
type Address struct{ netip.AddrPort }

// A Network is a CIDR or a bare address.
type Network struct{ netip.Prefix }

type Networks []Network

// A PortRange is written "50000-50999"; the zero value leaves the choice to the system.
type PortRange struct{ First, Last uint16 }

// Permissions is a set of the words of the contract.
type Permissions uint16

const (
	List Permissions = 1 << iota
	Read
	Write
	Overwrite
	Append
	Delete
	Rename
	Mkdir
	Chmod
	Touch

	ReadOnly = List | Read
	DropBox  = Write | Mkdir
	Full     = List | Read | Write | Overwrite | Append | Delete | Rename | Mkdir | Chmod | Touch
)

// Rights say what a user may do at a path of the user's tree.
type Rights struct {
	Base  Permissions
	Rules []Rule // sorted: the longest path first
}
