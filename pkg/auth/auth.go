// Package auth defines what a login is, so that the server and the backends that check logins
// do not depend on each other. It contains the backends of the configuration's own users, and
// the rules that hold for all users.
package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"ftpd/pkg/impersonate"
)

// A Password is the text that a client sent with PASS. It is printed as *** by every verb of
// package fmt. It is no string, so that its owner can clear it after use: it must not be converted
// to a string, and encoding/json must not encode it (AppendPassword), because copies would stay.
type Password []byte

// Format implements fmt.Formatter. A String method would not suffice, because verbs such as %d
// do not call it.
func (Password) Format(f fmt.State, _ rune) { io.WriteString(f, "***") }

// AppendPassword adds the member "password" to a JSON object that has other members, in base64 as
// encoding/json does it. If objects are nested at the end of the text, the innermost one gets it.
func AppendPassword(text []byte, p Password) []byte {
	end := len(bytes.TrimRight(text, "}"))
	braces := string(text[end:])
	text = slices.Grow(text, len(p)*4/3+32) // so that append leaves no copy of the password
	text = append(text[:end], `,"password":"`...)
	text = base64.StdEncoding.AppendEncode(text, p)
	return append(append(text, '"'), braces...)
}

// Credentials are the name and the password that a client sent with USER and PASS. Both are
// bytes in an unknown encoding.
type Credentials struct {
	User     string
	Password Password
	Remote   netip.Addr // set by the supervisor from the admission, never by the core
}

// An Account describes the user of an accepted login.
type Account struct {
	// Name is the canonical name, from PAM and the name service.
	Name string `json:"name"`
	// Home is an absolute path of the host, inside server.roots.
	Home string `json:"home"`
	// As is the identity of the user; nil is the server's own.
	As *impersonate.Credentials `json:"as,omitempty"`
	// Groups are the names of all groups of the user, for [[group]], allow and deny.
	Groups []string `json:"groups,omitempty"`
	// Close ends the login in the backend; nil if there is nothing to end. The caller of Authenticate
	// calls it at the logout. It may be called twice.
	Close func() `json:"-"`
}

// End calls Close, if there is one.
func (a *Account) End() {
	if a.Close != nil {
		a.Close()
	}
}

// An Authorizer decides whether a user may log in. Its error is a *Refusal if the user may
// not, ErrBusy when there was no place to wait for the check, and any other error when the
// backend failed. The client receives 421 at ErrBusy and the same 530 at every other error.
type Authorizer interface {
	Authenticate(context.Context, Credentials) (*Account, error)
}

// A Refusal is the error for a login that was refused. Cause is for the log only. Public is for
// a client that has proved its identity; "" is the text that is sent to all others.
type Refusal struct{ Cause, Public string }

func (r *Refusal) Error() string { return r.Cause }
