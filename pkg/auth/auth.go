// Package auth is where login backends and server meet, so that neither knows the other.
package auth

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"ftpd/pkg/impersonate"
)

// A Password is what a client typed. It prints as *** in every verb.
type Password string

// Format implements fmt.Formatter; a String method would not be asked under verbs such as %d.
func (Password) Format(f fmt.State, _ rune) { io.WriteString(f, "***") }

// Credentials are what a client presents with USER and PASS. Both are bytes of whatever encoding the client has.
type Credentials struct {
	User     string
	Password Password
	Remote   netip.Addr // filled in by the supervisor from the admission, never believed from the core
}

// An Account is a user who may come in.
type Account struct {
	Name   string                   `json:"name"`             // canonical: PAM's name, looked up by NSS
	Home   string                   `json:"home"`             // an absolute path of the host, inside server.roots
	As     *impersonate.Credentials `json:"as,omitempty"`     // nil: the server's own identity
	Groups []string                 `json:"groups,omitempty"` // names of all groups, for [[group]], allow and deny
}

// An Authorizer decides who may come in. Its errors are *Refusal for a user who may not, ErrBusy where the
// login found no place to wait, anything else for a backend that failed. The client reads 421 at ErrBusy,
// and else the same 530.
type Authorizer interface {
	Authenticate(context.Context, Credentials) (*Account, error)
}

// A Refusal is a login that was refused. Cause is for the log alone, Public for the client where he has proved who he is; "" is the
// text that all others get.
type Refusal struct{ Cause, Public string }

func (r *Refusal) Error() string { return r.Cause }
