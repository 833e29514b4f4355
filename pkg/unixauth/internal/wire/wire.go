// Package wire defines the messages between ftpd and its helper ftpd-auth. They are JSON
// objects, one in each packet of a SOCK_SEQPACKET socket, which the helper has at Descriptor.
// The helper exits when ftpd closes its end. An arrow to the right is a message of the helper:
//
//	ftpd-auth names   → Hello   ← Query → Answer   ← Query → Answer …
//	ftpd-auth login   → Hello   ← Login → Reply (Passwd)   ← Proceed → Reply (Session)
//
// One Reply (Waiting) may precede any other Reply. A Reply with Refused or Failed ends a login
// at any step. The helper closes the PAM session before it sends the Reply (Session), or with Keep
// when ftpd closes its end or has ended.
package wire

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"ftpd/pkg/auth"
)

const (
	// Descriptor is the helper's end of the socket.
	Descriptor = 3
	// Version changes when a message changes its meaning.
	Version = 1
	// Unprivileged is the environment variable with which a helper gives up all capabilities of
	// programs that it executes, before it does anything else.
	Unprivileged = "FTPD_AUTH_UNPRIVILEGED"
	// MaxMessage bounds a message, in bytes.
	MaxMessage = 128 << 10
)

// Hello is the first message of a helper.
type Hello struct {
	Version int    `json:"version"`
	Failed  string `json:"failed,omitempty"` // why the helper cannot work
}

// Login requests one login. User and Password are bytes, since clients may send text that is
// not UTF-8.
type Login struct {
	Service  string        `json:"service"`
	User     []byte        `json:"user"`
	Password auth.Password `json:"password,omitempty"`
	Remote   string        `json:"remote"` // for PAM_RHOST

	// Guest is the account for users that PAM accepts but the system lacks; "" refuses them.
	Guest string `json:"guest,omitempty"`
	// Keep requests that the PAM session stays open as long as the socket.
	Keep bool `json:"keep,omitempty"`
}

// Proceed reports that the account may log in, so that the helper opens the PAM session.
type Proceed struct {
	Proceed bool `json:"proceed"`
}

// Reply is a step of a login. One of its fields is set; Guest is set besides Passwd.
type Reply struct {
	Waiting bool     `json:"waiting,omitempty"` // the login waits for a server or clock; sent once
	Passwd  *Passwd  `json:"passwd,omitempty"`  // PAM accepts the password and the account
	Guest   []byte   `json:"guest,omitempty"`   // the name in PAM, if Passwd is the guest account
	Session *Session `json:"session,omitempty"` // the login is complete
	Refused string   `json:"refused,omitempty"` // the cause for which the user may not log in
	Failed  string   `json:"failed,omitempty"`  // the cause for which the check was not possible
}

// Passwd is an entry of the user database.
type Passwd struct {
	Name  string `json:"name"` // the canonical name, which may differ from the one in the query
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	Home  string `json:"home"`
	Shell string `json:"shell"`
}

// Session holds the groups of the user, with those that PAM added.
type Session struct {
	GIDs   []uint32 `json:"gids"`   // all groups
	Groups []string `json:"groups"` // the names of the groups that have one
}

// Query requests names. One of its fields is set.
type Query struct {
	User  string   `json:"user,omitempty"`  // requests Passwd and Groups
	Group string   `json:"group,omitempty"` // requests GID
	UIDs  []uint32 `json:"uids,omitempty"`  // requests UserNames
	GIDs  []uint32 `json:"gids,omitempty"`  // requests GroupNames
}

// Answer answers a Query. An account, group or name that does not exist is missing.
type Answer struct {
	Passwd     *Passwd           `json:"passwd,omitempty"`
	Groups     *Session          `json:"groups,omitempty"`
	GID        *uint32           `json:"gid,omitempty"`
	UserNames  map[uint32]string `json:"user_names,omitempty"`
	GroupNames map[uint32]string `json:"group_names,omitempty"`
	Failed     string            `json:"failed,omitempty"`
}

// A Conn is one end of the socket. It is safe for use by several goroutines.
type Conn struct{ c *net.UnixConn }

// Open returns a Conn that uses the SOCK_SEQPACKET socket f, and closes f.
func Open(f *os.File) (*Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("descriptor %s is not a Unix socket", f.Name())
	}
	return &Conn{u}, nil
}

// Send sends one message.
func (c *Conn) Send(message any) error {
	login, isLogin := message.(Login)
	if isLogin {
		withoutPassword := login
		withoutPassword.Password = nil
		message = withoutPassword
	}
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if isLogin {
		b = auth.AppendPassword(b, login.Password)
	}
	if len(b) > MaxMessage {
		return fmt.Errorf("a message of %d bytes is too long", len(b))
	}
	_, err = c.c.Write(b)
	clear(b) // it may hold a password
	return err
}

// Receive waits for the next message. It returns io.EOF when the other end is closed.
func (c *Conn) Receive(message any) error {
	b := make([]byte, MaxMessage+1)
	n, err := c.c.Read(b)
	if err != nil {
		return err
	}
	if n > MaxMessage {
		return fmt.Errorf("a message is longer than %d bytes", MaxMessage)
	}
	err = json.Unmarshal(b[:n], message)
	clear(b[:n])
	if err != nil {
		// The error may quote the whole message.
		return fmt.Errorf("a message cannot be decoded: %.200s", err)
	}
	return nil
}

// SetDeadline makes Send and Receive fail from the time t on.
func (c *Conn) SetDeadline(t time.Time) error { return c.c.SetDeadline(t) }

// Close closes the socket. Receive returns io.EOF at the other end.
func (c *Conn) Close() error { return c.c.Close() }
