// Package monitor is the boundary between the core and its supervisor.
package monitor

import (
	"context"
	"net/netip"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
)

// A Supervisor is what a core may ask for. *Client asks another process; in one process the supervisor itself answers.
type Supervisor interface {
	// Admit asks for a session's slot before the 220.
	Admit(context.Context, Connection) (Admission, error)
	// Authenticate checks a login. The error is *auth.Refusal, or a failure of the backend.
	Authenticate(ctx context.Context, session string, c auth.Credentials) (*auth.Account, error)
	// Names gives the names of owners; ids without a name are missing from the answer.
	Names(ctx context.Context, uids, gids []uint32) (Names, error)
	// End gives the slot back. It is called once for each admitted session, whatever happened.
	End(session string)
	events.Sink
}

// A Connection is a control connection that was accepted.
type Connection struct {
	Remote netip.AddrPort `json:"remote"`
	Local  netip.AddrPort `json:"local"`
}

// An Admission is the answer: a session's id, or the text of a 421.
type Admission struct {
	Session string `json:"session,omitempty"` // eight letters and digits, unique while the log is kept
	Refusal string `json:"refusal,omitempty"`
}

// Names maps ids to names.
type Names struct {
	Users  map[uint32]string `json:"users,omitempty"`
	Groups map[uint32]string `json:"groups,omitempty"`
}
