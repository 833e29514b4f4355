// Package events defines the events of sessions, and writes them to the log and the transfer
// log.
package events

import "time"

// A Kind names an event. The names of hooks are among the kinds.
type Kind string

const (
	Connect            Kind = "connect"
	Login              Kind = "login"
	LoginFailed        Kind = "login_failed"
	Logout             Kind = "logout" // Verb is set if a transfer of that login continues
	Upload             Kind = "upload"
	UploadIncomplete   Kind = "upload_incomplete"
	Download           Kind = "download"
	DownloadIncomplete Kind = "download_incomplete"
	Command            Kind = "command" // a command that changed something, or was refused
	Line               Kind = "line"    // debug: a line of a command or a reply
	// NotResumed is a data connection without the TLS session of its control connection. Reply
	// is set if the connection was refused.
	NotResumed Kind = "not_resumed"
	Flood      Kind = "flood"      // commands arrived faster than ban.commands_per_second
	Panic      Kind = "panic"      // a panic inside a session; Cause holds the stack
	Disconnect Kind = "disconnect" // the end of the session
	// Dropped are records that are not written because there are too many. No core may send it.
	Dropped Kind = "dropped"
)

// Known reports whether a core may send events of the kind k: it is one of the constants above.
func (k Kind) Known() bool {
	switch k {
	case Connect, Login, LoginFailed, Logout, Upload, UploadIncomplete, Download,
		DownloadIncomplete, Command, Line, NotResumed, Flood, Panic, Disconnect:
		return true
	}
	return false
}

// An Event is one fact about one session. It does not hold the user and the addresses of the
// session: the supervisor has them from the admission and the login and adds them to the log, so
// that a core cannot forge them.
type Event struct {
	Kind    Kind          `json:"kind"`
	Session string        `json:"session"`
	Verb    string        `json:"verb,omitempty"`  // RETR, STOR, DELE, …
	Path    string        `json:"path,omitempty"`  // in the user's tree
	Host    string        `json:"host,omitempty"`  // Path as a path of the host, if known
	To      string        `json:"to,omitempty"`    // the new path (RNTO)
	User    string        `json:"user,omitempty"`  // LoginFailed: the name that was tried
	Reply   int           `json:"reply,omitempty"` // the code of the reply
	Cause   string        `json:"cause,omitempty"` // of a refusal, a failure or an end; log only
	Bytes   int64         `json:"bytes,omitempty"`
	ASCII   bool          `json:"ascii,omitempty"` // the transfer had TYPE A
	Took    time.Duration `json:"took,omitempty"`

	// Evidence describes why a complete upload may nevertheless lack data that the client sent.
	Evidence string `json:"evidence,omitempty"`
	// Client is the name that the client gave itself by CLNT, at most 64 bytes; for NotResumed.
	Client string `json:"client,omitempty"`
	// ResumedBefore is set for NotResumed if an earlier data connection of the session has resumed
	// the TLS session of the control connection.
	ResumedBefore bool `json:"resumed_before,omitempty"`
	// Former is set if the event belongs to a login that has ended before, and for the Logout of
	// a login of which a command continues.
	Former bool `json:"former,omitempty"`

	// Unwritten is set if the core has sent too many events: no record is written.
	Unwritten bool `json:"-"`
	// Lost is the number of records that were not written; for Dropped.
	Lost int `json:"-"`
}

// A Sink takes events. Emit may wait for the log, but never fails.
type Sink interface{ Emit(Event) }
