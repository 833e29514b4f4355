package monitor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ftpd/pkg/events"
)

// The records of the log that a core causes. A core that lies can write neither a record that is
// impossible for its session nor more than a budget.

const (
	// maxSessions bounds the sessions of one core, also if limits.max_sessions is 0. It is more than
	// the descriptors that a core has.
	maxSessions = 1 << 17

	// recordRate and recordBurst bound the texts of records, in bytes: about 40,000 records in each
	// second, after a million at one moment. A session that causes more commands to be refused
	// leaves recordReserve to the records of logins.
	recordRate    = 8 << 20
	recordBurst   = 256 << 20
	recordReserve = 64 << 20
	// recordSize is the size of a record without its texts.
	recordSize = 200

	// reportInterval is the least time between two reports of dropped records.
	reportInterval = time.Minute
)

// A budget bounds records. Only the goroutine of Server.Run uses it.
type budget struct {
	spent    float64 // of recordBurst
	at       time.Time
	dropped  int       // records since the last report
	reported time.Time // the last report
}

// spend reports whether a record fits into the budget, and counts it as dropped otherwise.
func (b *budget) spend(e events.Event, now time.Time) bool {
	b.spent = max(0, b.spent-now.Sub(b.at).Seconds()*recordRate)
	b.at = now
	size := recordSize + len(e.Path) + len(e.Host) + len(e.To) + len(e.User) + len(e.Cause) +
		len(e.Evidence) + len(e.Client) + len(e.Verb)
	burst := float64(recordBurst)
	switch e.Kind {
	case events.Connect, events.Login, events.LoginFailed, events.Logout, events.Disconnect:
		burst += recordReserve
	}
	if b.spent+float64(size) > burst {
		b.dropped++
		return false
	}
	b.spent += float64(size)
	return true
}

// report emits the number of dropped records, if there are any.
func (b *budget) report(to events.Sink, now time.Time) {
	if b.dropped > 0 {
		to.Emit(events.Event{Kind: events.Dropped, Lost: b.dropped})
		b.dropped, b.reported = 0, now
	}
}

// A history is what has happened in a session, as far as later events depend on it.
type history struct {
	connected, disconnected bool
	authenticated           bool // a password was right, and no login was reported since
	loggedIn                bool
	known                   bool // a user has logged in at some time
}

// take returns an error for an event that cannot happen in the session now.
func (h *history) take(k events.Kind) error {
	possible := true
	switch k {
	case events.Connect:
		possible, h.connected = !h.connected, true
	case events.Disconnect:
		possible, h.disconnected = !h.disconnected, true
	case events.Login:
		possible, h.authenticated = h.authenticated, false
		h.loggedIn, h.known = true, true
	case events.Logout:
		possible, h.loggedIn = h.loggedIn, false
	case events.Upload, events.UploadIncomplete, events.Download, events.DownloadIncomplete,
		events.Command, events.NotResumed:
		possible = h.known
	}
	if !possible {
		return fmt.Errorf("core reported an impossible %s", k)
	}
	return nil
}

const event kind = "event"

func (s *Server) event(_ context.Context, _ request, body eventBody) error {
	if !body.Kind.Known() {
		return fmt.Errorf("core reported an event of the kind %.32q", body.Kind)
	}
	s.mu.Lock()
	ses, err := s.sessions[body.Session], error(nil)
	if ses != nil {
		err = ses.history.take(body.Kind)
	}
	s.mu.Unlock()
	switch {
	case ses == nil:
		return errors.New("core reported an event of a session that it does not have")
	case err != nil:
		return err
	}
	e, now := body.unpack(), time.Now()
	e.Unwritten = !s.records.spend(e, now)
	if now.Sub(s.records.reported) >= reportInterval {
		s.records.report(s.sup, now)
	}
	s.sup.Emit(e)
	return nil
}
