package dtp

import (
	"context"

	"ftpd/pkg/transport"
)

// An Opener is what PASV, EPSV, PORT or EPRT prepared for the next transfer: a *Passive or an
// *Active.
type Opener interface {
	// Claim takes the Opener for a transfer that begins. The error is an *OpenError if it is known
	// that no data connection can be opened.
	Claim() error
	// Open waits for the data connection, as long as limits.connect_timeout. It is called once,
	// after Claim. The error is an *OpenError, or the cause of ctx if ctx ends.
	Open(context.Context) (transport.Conn, error)
	// Refuse is called when the reply to a transfer command was a refusal. The next transfer may
	// use the same Opener. private reports whether data connections use TLS (PROT P).
	Refuse(private bool)
	// Close gives back what was prepared, including a data connection that was not opened.
	Close()
}

// An OpenError is the reason for which there is no data connection.
type OpenError struct {
	Reason OpenFailure
	Err    error // for the log
}

// An OpenFailure is a kind of failure that has its own reply.
type OpenFailure int

const (
	// NoClient means that the client has not connected to the passive port.
	NoClient OpenFailure = iota
	// Spent means that the client's connection has ended before a transfer used it.
	Spent
	// NoConnect means that the connection to the client's port failed.
	NoConnect
)

func (e *OpenError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *OpenError) Unwrap() error { return e.Err }
