// Package monitor is the boundary of privileges between a core and its supervisor. The core
// reads what the network sends and is not trusted; the supervisor runs as root. The package
// holds both ends of their connection and the table of every message that may cross it.
//
// The model is the monitor of OpenSSH: each message has a rule that states its sender, its
// time, its bound, and what a core that lies gains by it. Since the core can take any uid of a
// user without the supervisor, the order of messages protects nothing. What matters is that no
// message allows guessing passwords, or writing to the log, beyond its bound.
package monitor

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
)

// A Supervisor does the privileged work of a core. The core calls a *Client, which sends
// requests to the supervisor in another process. If core and supervisor share one process, the
// core calls the supervisor directly.
type Supervisor interface {
	// Admit reserves the slot of a session, before the 220.
	Admit(context.Context, Connection) (Admission, error)
	// Authenticate checks a login. The error is *auth.Refusal, auth.ErrBusy, or a failure of the
	// backend. The supervisor logs the cause and does not send it to the core, so that the core
	// learns no more than the client does from the 530.
	Authenticate(ctx context.Context, session string, c auth.Credentials) (*auth.Account, error)
	// Names returns the names of up to MaxNames users and groups. It omits ids without a name.
	Names(ctx context.Context, uids, gids []uint32) (Names, error)
	// Group returns the id of the group with the given name, which has up to MaxGroupName bytes.
	Group(ctx context.Context, name string) (gid uint32, found bool, err error)
	// Sign signs a TLS handshake with the private key of a certificate of the service.
	Sign(context.Context, Handshake) ([]byte, error)
	// ActiveSocket returns a TCP socket that has begun to connect to the client of a session,
	// or to a host of data.foreign_networks. It does not block. The caller closes it. The error
	// is errors.ErrUnsupported if the caller has to make the connection itself.
	ActiveSocket(ctx context.Context, session string, way ActiveWay) (*os.File, error)
	// End releases the slot of a session. It is called exactly once for each admitted session.
	End(session string)
	events.Sink
}

// An ActiveWay is the way of an active data connection (RFC 959 §3.2).
type ActiveWay struct {
	// From is the address of this host. If it is invalid, the system chooses the address.
	From netip.Addr     `json:"from"`
	To   netip.AddrPort `json:"to"`
}

// A Connection is an accepted control connection.
type Connection struct {
	Remote netip.AddrPort `json:"remote"`
	Local  netip.AddrPort `json:"local"`
	// Fault states why the connection cannot be served, in at most maxFault bytes. It is "" if
	// the connection can be served.
	Fault string `json:"fault,omitempty"`
}

// maxFault bounds a Fault, in bytes.
const maxFault = 200

// NewConnection returns a connection. fault is the reason why it cannot be served, or nil.
func NewConnection(remote, local netip.AddrPort, fault error) Connection {
	c := Connection{Remote: remote, Local: local}
	if fault != nil {
		text := strings.ToValidUTF8(fault.Error(), "?")
		c.Fault = strings.ToValidUTF8(text[:min(len(text), maxFault)], "")
	}
	return c
}

// An Admission holds the id of an admitted session, or the text of the 421 that refuses it.
type Admission struct {
	Session string `json:"session,omitempty"` // eight letters and digits
	Refusal string `json:"refusal,omitempty"`
}

// Names maps ids to names.
type Names struct {
	Users  map[uint32]string `json:"users,omitempty"`
	Groups map[uint32]string `json:"groups,omitempty"`
}

// A FoundName is a host name of [nat] with its present address.
type FoundName struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
}

// MaxNames bounds the ids of one Names request, users and groups together.
const MaxNames = 512

// MaxGroupName bounds the name in a Group request, in bytes. No system has longer names.
const MaxGroupName = 256

// A SessionState is what a core reports about one of its sessions. User and address are not in
// it, because the supervisor has its own record of them.
type SessionState struct {
	Session string `json:"session"`
	Dir     string `json:"-"` // working directory in the user's tree; "" before the login
	Client  string `json:"-"` // the name that the client gave by CLNT; "" for none
	TLS     string `json:"tls,omitempty"`
	// Busy is set if a command runs that takes long, such as a transfer, a listing or a login.
	Busy bool `json:"busy,omitempty"`
	// Gone is set if the control connection has ended and the core still reads an upload.
	Gone     bool           `json:"gone,omitempty"`
	Active   time.Time      `json:"active"` // end of the last command or transfer
	Transfer *TransferState `json:"-"`      // nil if no transfer runs
}

// A TransferState is the progress of the transfer of one file.
type TransferState struct {
	Verb  string    `json:"verb"`
	Path  string    `json:"-"`
	Moved int64     `json:"moved"`          // bytes so far
	Size  int64     `json:"size,omitempty"` // the expected number of bytes; 0: not known
	Began time.Time `json:"began"`
}
