// Package monitor is the privilege boundary: everything that may cross between a core, which talks to the network and is trusted with
// nothing, and its supervisor, which is root. Both ends live here so that they cannot drift apart.
//
// The model is OpenSSH's monitor: one table of requests, each with who may send it when, its bound, and what a core that lies
// gains by it. The core takes any uid of a user by itself, so order alone contains nothing; what counts is that no message is an
// oracle for passwords, or a way into the log, beyond its bound.
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

// A Supervisor is what a core may ask for. *Client asks another process; where there is nothing to separate, the supervisor answers
// itself in the same process.
type Supervisor interface {
	// Admit asks for a session's slot before the 220.
	Admit(context.Context, Connection) (Admission, error)
	// Authenticate checks a login. The error is *auth.Refusal, auth.ErrBusy, or a failure of the backend. The supervisor has logged it, and
	// the cause does not come along: the core answers 530 and knows no more than the client.
	Authenticate(ctx context.Context, session string, c auth.Credentials) (*auth.Account, error)
	// Names gives the names of owners, of at most MaxNames ids; ids without a name are missing from the answer.
	Names(ctx context.Context, uids, gids []uint32) (Names, error)
	// Group gives the id of the group of that name, of at most MaxGroupName bytes.
	Group(ctx context.Context, name string) (gid uint32, found bool, err error)
	// Sign signs a TLS handshake with the key of a certificate that the core shows.
	Sign(context.Context, Handshake) ([]byte, error)
	// ActiveSocket gives a TCP socket that is bound to data.active_port at local, or at any address of local's family when that is
	// unspecified. It is not connected, and does not block. The caller owns it.
	ActiveSocket(ctx context.Context, session string, local netip.Addr) (*os.File, error)
	// End gives the slot back. It is called once for each admitted session, whatever happened.
	End(session string)
	events.Sink
}

// A Connection is a control connection that was accepted.
type Connection struct {
	Remote netip.AddrPort `json:"remote"`
	Local  netip.AddrPort `json:"local"`
	Fault  string         `json:"fault,omitempty"` // why nobody is served there, cut to maxFault; "" where somebody may be
}

// maxFault bounds a Fault, in bytes.
const maxFault = 200

// NewConnection is a connection, with why it cannot be served (nil: it can).
func NewConnection(remote, local netip.AddrPort, fault error) Connection {
	c := Connection{Remote: remote, Local: local}
	if fault != nil {
		text := strings.ToValidUTF8(fault.Error(), "?")
		c.Fault = strings.ToValidUTF8(text[:min(len(text), maxFault)], "")
	}
	return c
}

// An Admission is the answer: a session's id, or the text of a 421.
type Admission struct {
	Session string `json:"session,omitempty"` // eight letters and digits
	Refusal string `json:"refusal,omitempty"`
}

// Names maps ids to names.
type Names struct {
	Users  map[uint32]string `json:"users,omitempty"`
	Groups map[uint32]string `json:"groups,omitempty"`
}

// A FoundName is a host name of [nat] and the address that it has now.
type FoundName struct {
	Name    string     `json:"name"`
	Address netip.Addr `json:"address"`
}

// MaxNames bounds the ids of one Names request, users and groups together.
const MaxNames = 512

// MaxGroupName bounds the name in a Group request, in bytes. No system has longer ones.
const MaxGroupName = 256

// A SessionState is what a core tells about a session of its own. Who it is, and from where, the supervisor knows itself.
type SessionState struct {
	Session  string         `json:"session"`
	Dir      string         `json:"-"` // working directory, a path in the user's tree; "" before the login
	Client   string         `json:"-"` // what the client calls itself; "" where it has not
	TLS      string         `json:"tls,omitempty"`
	Gone     bool           `json:"gone,omitempty"` // the control connection has ended, and the upload's data is still read
	Active   time.Time      `json:"active"`         // of the last command, or the last transfer's end
	Transfer *TransferState `json:"-"`              // nil: none runs
}

// A TransferState tells how far the transfer of one file is.
type TransferState struct {
	Verb  string    `json:"verb"`
	Path  string    `json:"-"`
	Moved int64     `json:"moved"`
	Size  int64     `json:"size,omitempty"` // bytes that will move; 0: not known
	Began time.Time `json:"began"`
}

// version is equal in both ends or they do not talk. Fields may be added to a message, since unknown ones are ignored; none changes
// its meaning without a new version.
const version = 1

// maxMessage bounds a message in both directions, in bytes. The kernel keeps the boundaries (SOCK_SEQPACKET).
const maxMessage = 64 << 10

// maxAnswer bounds the body of an answer.
const maxAnswer = maxMessage - 1<<10

type kind string

const (
	configure    kind = "configure"
	exchange     kind = "exchange"
	drain        kind = "drain"
	retire       kind = "retire"
	answer       kind = "answer"
	ready        kind = "ready"
	admit        kind = "admit"
	authenticate kind = "authenticate"
	names        kind = "names"
	group        kind = "group"
	sign         kind = "sign"
	activeSocket kind = "active-socket"
	end          kind = "end"
	event        kind = "event"
	askStates    kind = "ask-states"
	states       kind = "states"
	kick         kind = "kick"
	nameFound    kind = "name-found"
)

// A rule is one line of the table.
type rule struct {
	kind     kind
	state    state         // when it may come
	session  bool          // names a session that was admitted to this core and has not ended
	size     int           // bound of its body in bytes
	atOnce   int           // bound of those under way at one time; 0: it is done when it is read
	deadline time.Duration // for the answer; 0: there is none
	lie      string        // what a lying core gains by it
}

// within bounds a wait by the rule's deadline, and by grace more.
func (r rule) within(
	ctx context.Context, grace time.Duration,
) (context.Context, context.CancelFunc) {
	if r.deadline == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, r.deadline+grace)
}

type state int

const (
	starting state = iota // until the core has said that it is ready
	serving               // from then on
)

// fromCore is everything that a core may say. Anything else, or this in the wrong state, or beyond its bound, is impossible, and the
// supervisor ends the core.
var fromCore = []rule{
	{kind: ready, state: starting, size: 2,
		lie: "It is given connections early; it serves them itself or not at all."},
	{kind: admit, state: serving, size: 2 << 10, atOnce: 64, deadline: 5 * time.Second,
		lie: "It may invent client addresses, and so take every slot, or have anybody banned for a while who then meets other cores: it denies service, which it can do by not serving. It may tell the log of refusals that were none, and why, in a few words that are cleaned."},
	// No deadline: a login waits for its turn until limits.login_timeout, when the core ends the session, and
	// with it the login.
	{kind: authenticate, state: serving, session: true, size: 8 << 10, atOnce: 4096, // two command lines in base64
		lie: "It may guess passwords as a client may: one guess at a time for each session, as many failures for each as auth.max_attempts, all of them logged, in the one queue that bounds hashing; more are answered as refused. It learns yes or no, never why, and the numbers of an account that came in."},
	{kind: names, state: serving, size: 16 << 10, atOnce: 16, deadline: 10 * time.Second,
		lie: "It learns the names that go with ids: what every local user may ask."},
	{kind: group, state: serving, size: 512, atOnce: 16, deadline: 10 * time.Second, // the name in base64
		lie: "It learns the ids that go with the names of groups: what every local user may ask."},
	{kind: sign, state: serving, size: 1 << 10, atOnce: 64, deadline: 10 * time.Second,
		lie: "It makes TLS handshakes as the server, which it is, and may lend its voice to somebody elsewhere for as long as it runs: the key stays here. Nothing else is signed (no client's part, no certificate, no text), and nothing is decrypted."},
	{kind: activeSocket, state: serving, session: true, size: 256, atOnce: 64, deadline: 5 * time.Second,
		lie: "It gets sockets that are bound to data.active_port (none where that is 0), one for each request, and may use them to connect from there to whom it likes, or to listen there: hosts that take a port below 1024 for root's word believe it."},
	{kind: end, state: serving, session: true, size: 256,
		lie: "It gives a slot back early and holds more connections than the limits say: it denies service."},
	{kind: states, state: serving, size: 48 << 10, // as many sessions as fit, when it was asked
		lie: "It tells administrators untrue things about its own sessions: directories, clients' names, progress. Who and from where is the supervisor's own record."},
	{kind: event, state: serving, session: true, size: 32 << 10,
		lie: "It writes untrue facts about its own sessions into the log; the kind is one of the known, user and address are the supervisor's own record (but for the name that a failed login tried), control characters are escaped, and the log's speed bounds it."},
}

// fromSupervisor is everything that a supervisor may say.
var fromSupervisor = []rule{
	{kind: configure, state: starting, size: 1 << 10}, // the first message, with descriptors: the Setup in a memfd, then the listeners
	{kind: answer, state: serving, size: maxAnswer},   // with the descriptor of a socket, if that was asked for
	{kind: exchange, state: serving, size: maxAnswer}, // a certificate to show from now on
	{kind: nameFound, state: serving, size: 1 << 10},  // a host name of [nat] has another address; names have at most 255 bytes
	{kind: askStates, state: serving, size: 64},       // tell of the sessions
	{kind: kick, state: serving, size: 64},            // end this session
	{kind: drain, state: serving, size: 64},           // accept no more; sessions without a transfer end now, the others with it, the rest at the timeout
	{kind: retire, state: serving, size: 2},           // accept no more, and end with the last session
}

func find(table []rule, k kind) (rule, bool) {
	for _, r := range table {
		if r.kind == k {
			return r, true
		}
	}
	return rule{}, false
}
