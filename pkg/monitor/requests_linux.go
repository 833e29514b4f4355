package monitor

import (
	"context"
	"time"
)

// version must be equal in both ends. A message may get new fields without a new version,
// because unknown fields are ignored. A field gets a new meaning only with a new version.
const version = 1

// maxMessage bounds a message in both directions, in bytes. The kernel keeps the boundaries of
// messages (SOCK_SEQPACKET).
const maxMessage = 64 << 10

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = maxMessage - 1<<10

// A kind names a message. Each constant stands beside the code of both ends for that message.
type kind string

// A rule is one line of the table.
type rule struct {
	kind       kind
	state      state         // the state in which the message may be sent
	session    bool          // the body names a running session of this core
	size       int           // bounds the body, in bytes
	concurrent int           // bounds the requests without an answer; 0: there is no answer
	deadline   time.Duration // for the answer; 0: none
	gain       string        // what a core that lies gains

	// handle carries out a message of a core. An error ends the core.
	handle func(*Server, context.Context, rule, message) error
	// obey carries out a message of the supervisor. An error ends the core.
	obey func(*Client, Orders, message) error
}

// within returns a context that ends at the deadline of the rule plus grace.
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
	starting state = iota // until the core has sent ready
	serving               // after that
)

// fromCore lists every message that a core may send. The supervisor ends a core that sends any
// other message, or one of these in the wrong state or beyond its bound.
var fromCore = []rule{
	{
		kind: ready, state: starting, size: 2,
		handle: (*Server).ready,
		gain:   "It receives connections early. It serves them itself, or they are not served.",
	},
	{
		kind: admit, state: serving, size: 2 << 10, concurrent: 64, deadline: 5 * time.Second,
		handle: parsed((*Server).admit),
		gain: "It may invent client addresses. By that it takes every slot, or causes a ban of an " +
			"address for a while, which also holds at other cores: it denies service, which it " +
			"can do by not serving. It may write refusals that did not happen to the log, with " +
			"a cause of a few words, which are cleaned.",
	},
	{
		// There is no deadline: a login waits for its turn until limits.login_timeout. Then
		// the core ends the session, and with it the login. The size allows two command lines
		// in base64.
		kind: authenticate, state: serving, session: true, size: 8 << 10, concurrent: 4096,
		handle: parsed((*Server).authenticate),
		gain: "It may guess passwords like a client: one guess at a time for each session, as many " +
			"failures for each session as auth.max_attempts, all of them logged, in the one " +
			"queue that bounds hashing. Further guesses are refused without a check. It learns " +
			"yes or no, never the cause, and the numbers of an account that has logged in.",
	},
	{
		kind: names, state: serving, size: 16 << 10, concurrent: 16, deadline: 10 * time.Second,
		handle: parsed((*Server).names),
		gain:   "It learns the names of ids, which every local user may look up.",
	},
	{
		kind: group, state: serving, size: 512, concurrent: 16, deadline: 10 * time.Second,
		handle: parsed((*Server).group),
		gain:   "It learns the ids of group names, which every local user may look up.",
	},
	{
		kind: sign, state: serving, size: 1 << 10, concurrent: 64, deadline: 10 * time.Second,
		handle: parsed((*Server).sign),
		gain: "It makes TLS handshakes as the server, which it is, and may make them for another " +
			"host as long as it runs; the key stays with the supervisor. Nothing else is signed " +
			"(no part of a client, no certificate, no text), and nothing is decrypted.",
	},
	{
		kind: activeSocket, state: serving, session: true, size: 256, concurrent: 64,
		deadline: 5 * time.Second,
		handle:   parsed((*Server).activeSocket),
		gain: "It gets connections to the client of the session, and to hosts of " +
			"data.foreign_networks, as any client gets by PORT: to ports below 1024 only with " +
			"data.allow_privileged_ports. They come from data.active_port, if that is set; hosts " +
			"that trust a port below 1024 as a sign of root trust it.",
	},
	{
		kind: end, state: serving, session: true, size: 256,
		handle: parsed((*Server).end),
		gain: "It releases a slot early and holds more connections than the limits allow: it " +
			"denies service.",
	},
	{
		kind: states, state: serving, size: 48 << 10, // at most maxStates sessions
		handle: parsed((*Server).states),
		gain: "It reports false directories, names of clients and progress of its own sessions to " +
			"administrators. Users and addresses are the supervisor's own record.",
	},
	{
		// Once after retire. An admit after it ends the core.
		kind: closed, state: serving, size: 2,
		handle: (*Server).reportedClosed,
		gain: "It continues to accept connections, which get no session: it cannot check their " +
			"passwords.",
	},
	{
		kind: pong, state: serving, size: 2,
		handle: (*Server).pong,
		gain:   "It counts as a core that works, although it serves nothing.",
	},
	{
		kind: event, state: serving, session: true, size: 32 << 10,
		handle: parsed((*Server).event),
		gain: "It writes false facts about its own sessions to the log. The kind is a known one that " +
			"is possible for the session: a login follows a right password, a transfer a login. " +
			"User and address are the supervisor's own record, except the name that a failed " +
			"login tried. Control characters are escaped. The records are bounded (recordRate), " +
			"and those of sessions without a login much more (events.Repeats).",
	},
}

// fromSupervisor lists every message that a supervisor may send. Connect takes configure and
// Run takes answer; all other messages are orders, which obey carries out.
var fromSupervisor = []rule{
	// The first message. It carries descriptors: the Setup in a memfd, then the listeners.
	{kind: configure, state: starting, size: 1 << 10},
	// The answer to a request. That to an activeSocket carries the descriptor of the socket.
	{kind: answer, state: serving, size: maxAnswer},
	// A certificate to show from now on.
	{kind: exchange, state: serving, size: maxAnswer, obey: order(Orders.exchange)},
	// The new address of a host name of [nat]. Names have at most 255 bytes.
	{kind: nameFound, state: serving, size: 1 << 10, obey: order(Orders.nameFound)},
	// Answer with a pong.
	{kind: ping, state: serving, size: 2, obey: (*Client).ping},
	// Report the states of the sessions.
	{kind: askStates, state: serving, size: 64, obey: (*Client).askStates},
	// End one session.
	{kind: kick, state: serving, size: 64, obey: order(Orders.kick)},
	// End one session, because another client takes its place.
	{kind: displace, state: serving, size: 64, obey: order(Orders.displace)},
	// Accept no more connections. Sessions without a transfer end now, the others after their
	// transfer, or at the timeout.
	{kind: drain, state: serving, size: 64, obey: order(Orders.drain)},
	// Accept no more connections, report closed, and end with the last session.
	{kind: retire, state: serving, size: 2, obey: (*Client).retire},
}

// find returns the rule for the kind k.
func find(table []rule, k kind) (rule, bool) {
	for _, r := range table {
		if r.kind == k {
			return r, true
		}
	}
	return rule{}, false
}
