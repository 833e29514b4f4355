// Package admin implements both ends of the socket through which an administrator inspects the
// running service. A connection carries one request and one response, each a JSON object on a
// line.
package admin

import (
	"context"
	"net/netip"
	"time"
)

// A Service answers the requests. Its methods may be called from several goroutines.
type Service interface {
	// Who returns the present state of the service.
	Who(context.Context) Report
	// Kick ends the sessions that match target: a user, a session or an address. It returns
	// how many ended.
	Kick(ctx context.Context, target string) (ended int)
}

// A Report is what `ftpd who` shows, and prints with --json.
type Report struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"`
	Sessions []Session `json:"sessions"` // the oldest first
	Limits   []Limit   `json:"limits"`
	Bans     []Ban     `json:"bans"`
}

// A Session is the session of one client.
type Session struct {
	ID        string         `json:"session"`
	User      string         `json:"user,omitempty"` // the logged-in user
	Remote    netip.AddrPort `json:"remote"`
	Since     time.Time      `json:"since"`
	TLS       string         `json:"tls,omitempty"`    // its version on the control connection
	Client    string         `json:"client,omitempty"` // the name that the client gave by CLNT
	Directory string         `json:"directory,omitempty"`
	Idle      float64        `json:"idle"` // seconds since the last command; 0 during a transfer
	// Gone is set if the control connection has ended and the service still reads an upload.
	Gone     bool      `json:"gone,omitempty"`
	Transfer *Transfer `json:"transfer,omitempty"`
}

// A Transfer is the running transfer of one file.
type Transfer struct {
	Verb    string  `json:"verb"` // RETR, STOR, APPE or STOU
	Path    string  `json:"path"` // in the user's tree
	Bytes   int64   `json:"bytes"`
	Size    int64   `json:"size,omitempty"` // the expected number of bytes; 0: not known
	Seconds float64 `json:"seconds"`        // since the beginning
	Rate    float64 `json:"rate"`           // average, in bytes per second
}

// Left estimates the remaining time of the transfer from its rate; 0: not known.
func (t Transfer) Left() time.Duration {
	if t.Size <= t.Bytes || t.Rate <= 0 {
		return 0
	}
	return time.Duration(float64(t.Size-t.Bytes) / t.Rate * float64(time.Second))
}

// A Limit is a limit in force, with its present use. If the limit holds for each address or user
// separately, Used and Of describe the address or user with the highest use.
type Limit struct {
	Key   string `json:"key"`
	Limit int    `json:"limit"` // 0: unlimited
	Used  int    `json:"used"`
	Of    string `json:"of,omitempty"` // the address or user
}

// A Ban is a ban in force.
type Ban struct {
	Network string    `json:"network"`        // an address, or an IPv6 /64
	User    string    `json:"user,omitempty"` // "": every user from the network
	Until   time.Time `json:"until"`
	Cause   string    `json:"cause"`
}

type request struct {
	Command string `json:"command"` // "who" or "kick"
	Target  string `json:"target,omitempty"`
}

type response struct {
	Error  string  `json:"error,omitempty"`
	Report *Report `json:"report,omitempty"`
	Ended  int     `json:"ended,omitempty"`
}

const (
	maxRequest     = 4 << 10          // bytes
	maxConnections = 16               // at the same time
	timeout        = 10 * time.Second // of a connection, from its beginning to the response
)
