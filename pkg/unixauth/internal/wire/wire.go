// Package wire holds the messages between ftpd and its helper ftpd-auth: JSON objects, one in each packet of a SOCK_SEQPACKET
// socket, which the helper finds at Descriptor. It ends when ftpd closes its end.
//
//	ftpd-auth names   → Hello    ← Question → Answer   ← Question → Answer …
//	ftpd-auth login   → Hello    ← Login    → Reply (Waiting)? → Reply (Passwd)   ← Proceed   → Reply (Session)
//	                                        a Reply with Refused or Failed ends a login at any step
package wire

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const (
	// Descriptor is the helper's end of the socket.
	Descriptor = 3
	// Version changes when a message changes its meaning.
	Version = 1
	// MaxMessage bounds a message, in bytes.
	MaxMessage = 128 << 10
)

// Hello is what a helper says first.
type Hello struct {
	Version int    `json:"version"`
	Failed  string `json:"failed,omitempty"` // why the helper cannot work
}

// A Secret is sent as it is and prints as *** in every verb.
type Secret []byte

// Format implements fmt.Formatter; a String method would not be asked under verbs such as %d.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "***") }

// Login asks for one login. User and Password are bytes, since clients are free to send other things than UTF-8.
type Login struct {
	Service  string `json:"service"`
	User     []byte `json:"user"`
	Password Secret `json:"password"`
	Remote   string `json:"remote"`          // for PAM_RHOST
	Guest    string `json:"guest,omitempty"` // the account of users whom PAM accepts and the system does not know; "" refuses them
}

// Proceed tells that the account may come in, so that the helper opens the PAM session.
type Proceed struct {
	Proceed bool `json:"proceed"`
}

// Reply is a step of a login; one of its fields is set.
type Reply struct {
	Waiting bool     `json:"waiting,omitempty"` // the login only waits, for a server or a clock; told once
	Passwd  *Passwd  `json:"passwd,omitempty"`  // password and account are in order
	Guest   []byte   `json:"guest,omitempty"`   // with Passwd, which is the guest account's: the name that PAM knows
	Session *Session `json:"session,omitempty"` // the login is complete
	Refused string   `json:"refused,omitempty"` // the user may not log in: the cause
	Failed  string   `json:"failed,omitempty"`  // nobody can tell whether the user may: what failed
}

// Passwd is an entry of the user database.
type Passwd struct {
	Name  string `json:"name"` // canonical, whatever name was asked for
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	Home  string `json:"home"`
	Shell string `json:"shell"`
}

// Session is what the PAM session gave the user.
type Session struct {
	GIDs   []uint32 `json:"gids"`   // all groups
	Groups []string `json:"groups"` // the names of those that have one
}

// Question asks for names; one kind at a time.
type Question struct {
	User  string   `json:"user,omitempty"`  // asks for Passwd and Groups
	Group string   `json:"group,omitempty"` // asks for GID
	UIDs  []uint32 `json:"uids,omitempty"`  // asks for UserNames
	GIDs  []uint32 `json:"gids,omitempty"`  // asks for GroupNames
}

// Answer answers a Question. What does not exist is missing.
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

// Open makes a Conn of a SOCK_SEQPACKET socket and closes f.
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
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(b) > MaxMessage {
		return fmt.Errorf("a message of %d bytes is too long", len(b))
	}
	_, err = c.c.Write(b)
	clear(b) // it may hold a password
	return err
}

// Receive waits for the next message; io.EOF tells that the other end is closed.
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
		return fmt.Errorf("a message makes no sense: %.200s", err) // the error may quote all of it
	}
	return nil
}

// SetDeadline ends Send and Receive at t.
func (c *Conn) SetDeadline(t time.Time) error { return c.c.SetDeadline(t) }

// Close makes the other end read io.EOF.
func (c *Conn) Close() error { return c.c.Close() }
