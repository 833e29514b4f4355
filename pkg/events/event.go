// Package events is the stream of facts about sessions, and its readers.
package events

import "time"

// Kind names an event; the names of hooks are among them.
type Kind string

const (
	Connect            Kind = "connect"
	Login              Kind = "login"
	LoginFailed        Kind = "login_failed"
	Logout             Kind = "logout"
	Upload             Kind = "upload"
	UploadIncomplete   Kind = "upload_incomplete"
	Download           Kind = "download"
	DownloadIncomplete Kind = "download_incomplete"
	Command            Kind = "command"     // a command that changed something, or was refused
	Line               Kind = "line"        // debug: a command or reply line
	NotResumed         Kind = "not_resumed" // a data connection without the TLS session of its control connection; Reply: it was refused
	Flood              Kind = "flood"       // commands came faster than ban.commands_per_second
	Panic              Kind = "panic"       // a session that failed inside; Cause holds the stack
	Disconnect         Kind = "disconnect"  // end of session
)

// Known says whether there is such a kind.
func (k Kind) Known() bool {
	switch k {
	case Connect, Login, LoginFailed, Logout, Upload, UploadIncomplete, Download, DownloadIncomplete, Command, Line, NotResumed, Flood, Panic, Disconnect:
		return true
	}
	return false
}

// An Event is one fact about one session. What the supervisor knows itself (user, addresses) is not in it: the log takes that from
// the admission and the login, so that a core cannot lie about it.
type Event struct {
	Kind    Kind          `json:"kind"`
	Session string        `json:"session"`
	Verb    string        `json:"verb,omitempty"`  // RETR, STOR, DELE, …; Logout: of a transfer that goes on
	Path    string        `json:"path,omitempty"`  // in the user's tree
	Host    string        `json:"host,omitempty"`  // the same as a path of the host, where known
	To      string        `json:"to,omitempty"`    // RNTO
	User    string        `json:"user,omitempty"`  // LoginFailed: the name that was tried
	Reply   int           `json:"reply,omitempty"` // the reply's code
	Cause   string        `json:"cause,omitempty"` // why refused, incomplete or ended; for the log alone
	Bytes   int64         `json:"bytes,omitempty"`
	ASCII   bool          `json:"ascii,omitempty"` // the transfer was one of TYPE A
	Took    time.Duration `json:"took,omitempty"`

	Evidence string `json:"evidence,omitempty"` // what leaves room for doubt that a complete upload is whole
	Client   string `json:"client,omitempty"`   // NotResumed: what the client calls itself (CLNT), at most 64 bytes
}

// A Sink takes events. Emit may wait for the log, but never fails.
type Sink interface{ Emit(Event) }
