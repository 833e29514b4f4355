//go:build linux

package tests

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds the wait for an event that must happen. A test that passes never waits that long, so
// the bound leaves room for a busy machine.
const patience = 2 * time.Minute

// A record is one line of the log.
type record struct {
	Message, Level, Of       string
	Session, User, Remote    string
	Verb, Path, Cause, Error string
	Client, Directory        string
	Reply, Count             int
	Bytes                    int64
	Seconds                  float64

	Text string `json:"-"` // the line as it was written
}

// A serverLog collects what a server writes to standard error.
type serverLog struct {
	mu      sync.Mutex
	records []record
	grown   chan struct{} // closed and replaced with each new record
	ended   chan struct{} // closed at the end of the stream
}

func newServerLog() *serverLog {
	return &serverLog{grown: make(chan struct{}), ended: make(chan struct{})}
}

func (l *serverLog) add(line string) {
	r := record{Text: line}
	if json.Unmarshal([]byte(line), &r) != nil {
		r.Message = line
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
	close(l.grown)
	l.grown = make(chan struct{})
}

// find returns the records that match, and a channel that is closed when there is another record.
func (l *serverLog) find(match func(record) bool) (found []record, grown <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if match(r) {
			found = append(found, r)
		}
	}
	return found, l.grown
}

// wait waits for the first record that matches.
func (l *serverLog) wait(t *testing.T, what string, match func(record) bool) record {
	t.Helper()
	deadline := time.After(patience)
	for {
		found, grown := l.find(match)
		if len(found) > 0 {
			return found[0]
		}
		select {
		case <-grown:
		case <-l.ended:
			if found, _ := l.find(match); len(found) > 0 {
				return found[0]
			}
			t.Fatalf("the log ended without %s:\n%s", what, l)
		case <-deadline:
			t.Fatalf("no %s in the log:\n%s", what, l)
		}
	}
}

// message matches records by their constant text.
func message(text string) func(record) bool {
	return func(r record) bool { return r.Message == text }
}

// String returns the end of the log.
func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, r := range l.records[max(0, len(l.records)-40):] {
		b.WriteString("  " + r.Text + "\n")
	}
	return b.String()
}

// eventually calls ok until it returns true. It fails the test when patience ends before.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-ticks.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
