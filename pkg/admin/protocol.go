// Package admin is the socket by which an administrator looks into the running service: both ends of it, so that they cannot drift
// apart. A connection carries one question and one answer, each a JSON object in a line.
package admin

import (
	"context"
	"net/netip"
	"time"
)

// A Service is what stands behind the socket. Its methods may be called from several goroutines.
type Service interface {
	// Who tells of the service as it is now.
	Who(context.Context) Report
	// Kick ends the sessions that target names, a user, a session or an address, and says how many those were.
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

// A Session is one of a client.
type Session struct {
	ID        string         `json:"session"`
	User      string         `json:"user,omitempty"` // who is logged in
	Remote    netip.AddrPort `json:"remote"`
	Since     time.Time      `json:"since"`
	TLS       string         `json:"tls,omitempty"`    // version, of the control connection
	Client    string         `json:"client,omitempty"` // what the client calls itself (CLNT)
	Directory string         `json:"directory,omitempty"`
	Idle      float64        `json:"idle"`           // seconds since the last command; 0 during a transfer
	Gone      bool           `json:"gone,omitempty"` // the control connection has ended, and what it uploads is still read
	Transfer  *Transfer      `json:"transfer,omitempty"`
}

// A Transfer is that of one file.
type Transfer struct {
	Verb    string  `json:"verb"` // RETR, STOR, APPE or STOU
	Path    string  `json:"path"` // in the user's tree
	Bytes   int64   `json:"bytes"`
	Size    int64   `json:"size,omitempty"` // bytes that will move; 0: not known
	Seconds float64 `json:"seconds"`        // so far
	Rate    float64 `json:"rate"`           // bytes in a second, on average
}

// Left is the time that the transfer will take at its rate; 0: not known.
func (t Transfer) Left() time.Duration {
	if t.Size <= t.Bytes || t.Rate <= 0 {
		return 0
	}
	return time.Duration(float64(t.Size-t.Bytes) / t.Rate * float64(time.Second))
}

// A Limit is one that is in force, and how far it is used. Of limits that hold for each address or user, it tells of whoever is nearest.
type Limit struct {
	Key   string `json:"key"`
	Limit int    `json:"limit"` // 0: unlimited
	Used  int    `json:"used"`
	Of    string `json:"of,omitempty"` // the address or user
}

// A Ban is one that is in force.
type Ban struct {
	Network string    `json:"network"`        // an address, or an IPv6 /64
	User    string    `json:"user,omitempty"` // "": everybody from there
	Until   time.Time `json:"until"`
	Cause   string    `json:"cause"`
}

type question struct {
	Command string `json:"command"` // "who" or "kick"
	Target  string `json:"target,omitempty"`
}

type answer struct {
	Error  string  `json:"error,omitempty"`
	Report *Report `json:"report,omitempty"`
	Ended  int     `json:"ended,omitempty"`
}

const (
	maxQuestion = 4 << 10          // bytes
	maxAsking   = 16               // connections at one time
	patience    = 10 * time.Second // for a question, and for its answer
)
