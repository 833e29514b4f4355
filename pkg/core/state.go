package core

import (
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/checksum"
	"ftpd/pkg/dtp"
	"ftpd/pkg/listing"
	"ftpd/pkg/transfer"
)

// The groups of a session's fields. The turn guards them, except where a comment names another
// rule.

// A loginAttempt is the state of a session before the login of a user.
type loginAttempt struct {
	user     string        // the argument of USER
	password auth.Password // the argument of the command that runs, in the memory of its line
	failures int           // of logins on this connection, also before an earlier login
	due      time.Time     // the end of limits.login_timeout; zero after a login or without a limit
}

// transferParams are the parameters that a client sets for its transfers (RFC 959 §4.1.2). The
// next user begins with those of a new session.
type transferParams struct {
	dataType  transfer.Type       // of TYPE
	opener    dtp.Opener          // prepared by PASV or PORT; nil once used
	farewell  dtp.Farewell        // to the client of an upload that was refused after its 150
	epsvOnly  bool                // after EPSV ALL (RFC 2428 §4)
	restart   int64               // REST marker for the next transfer only
	announced int64               // bytes of the next upload, by ALLO; 0: not known
	facts     listing.Facts       // of MLST and MLSD, by OPTS
	algorithm *checksum.Algorithm // of HASH
}

// A tlsState is the TLS of a control connection, and what the client has chosen for its data
// connections.
type tlsState struct {
	implicit bool // TLS begins with the connection; immutable
	sized    bool // PBSZ was received
	private  bool // PROT P: data connections use TLS
}
