package events

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Repeats bounds the records that clients without a login cause. The first records of a client, a
// message and a cause are written (of most messages one); the following ones are counted, and one record reports the count
// when the interval is over. Then all begins anew. So however many connections are refused, the log
// grows slowly, and no record is lost without being counted.
type Repeats struct {
	log      zerolog.Logger
	interval time.Duration

	mu     sync.Mutex
	tables map[string]*repeatTable // by message; guarded by mu; nil when no interval runs
}

// repeatBounds are the bounds of one message in an interval.
type repeatBounds struct {
	clients int // with causes; further ones are counted together
	each    int // records of one client and cause that are written
	all     int // records of all clients that are written
}

// defaultBounds keep ten minutes of refusals by any number of clients below a megabyte.
var defaultBounds = repeatBounds{clients: 64, each: 1, all: 64}

// boundsOf has the messages that have other bounds. Clients connect several times without being an
// attack. Programs such as fail2ban read failed logins: the bound is above ban.address_failures. A
// client whose name is banned may go on, because its logins do not count for the ban of its
// address.
var boundsOf = map[string]repeatBounds{
	string(Connect):     {clients: 256, each: 30, all: 150},
	string(Disconnect):  {clients: 64, each: 30, all: 150},
	string(LoginFailed): {clients: 1024, each: 120, all: 3000},
	"banned":            {clients: 1024, each: 10, all: 1024},
}

// maxCauses bounds the causes of one client, because a client may choose texts in them.
const maxCauses = 8

// otherCauses counts the causes beyond maxCauses.
const otherCauses = "other causes"

// A repeatTable counts the records with one message.
type repeatTable struct {
	repeatBounds
	level   zerolog.Level
	written int // records of all clients
	counts  map[repeatKey]*repeatCount
	causes  map[netip.Prefix]int // of each client
	within  map[netip.Prefix]int // places in counts of each wide network
	others  int                  // records of clients without a place in counts
}

type repeatKey struct {
	client netip.Prefix
	cause  string
}

type repeatCount struct{ written, more int }

// NewRepeats returns a Repeats that writes the counts to log when the interval is over.
func NewRepeats(log zerolog.Logger, interval time.Duration) *Repeats {
	return &Repeats{log: log, interval: interval}
}

// Write reports whether a record may be written, and counts it otherwise. cause must be a text of
// the program, or of KindOfCause.
func (r *Repeats) Write(level zerolog.Level, message string, client netip.Prefix, cause string) bool {
	return r.add(level, message, client, cause, 1)
}

// WriteFirst is Write for a record that is written later, if it is not written now. It is not
// counted.
func (r *Repeats) WriteFirst(level zerolog.Level, message string, client netip.Prefix) bool {
	return r.add(level, message, client, "", 0)
}

func (r *Repeats) add(
	level zerolog.Level, message string, client netip.Prefix, cause string, counts int,
) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tables == nil {
		r.tables = map[string]*repeatTable{}
		time.AfterFunc(r.interval, r.Flush)
	}
	t := r.tables[message]
	if t == nil {
		t = newRepeatTable(message, level)
		r.tables[message] = t
	}
	c := t.count(client, cause)
	switch {
	case c == nil:
		t.others += counts
	case c.written < t.each && t.written < t.all:
		c.written++
		t.written++
		return true
	default:
		c.more += counts
	}
	return false
}

func newRepeatTable(message string, level zerolog.Level) *repeatTable {
	bounds, ok := boundsOf[message]
	if !ok {
		bounds = defaultBounds
	}
	return &repeatTable{
		repeatBounds: bounds,
		level:        level,
		counts:       map[repeatKey]*repeatCount{},
		causes:       map[netip.Prefix]int{},
		within:       map[netip.Prefix]int{},
	}
}

// count returns the count of a client and a cause, nil if the table has no place for it.
func (t *repeatTable) count(client netip.Prefix, cause string) *repeatCount {
	key, wide := repeatKey{client, cause}, wideNetwork(client)
	c := t.counts[key]
	if c == nil && t.within[wide] >= t.clients/4 {
		client, key.client = wide, wide
		c = t.counts[key]
	}
	if c == nil && t.causes[client] >= maxCauses {
		key.cause = otherCauses
		c = t.counts[key]
	}
	if c != nil || len(t.counts) >= t.clients {
		return c
	}
	c = new(repeatCount)
	t.counts[key] = c
	t.causes[client]++
	t.within[wide]++
	return c
}

// wideNetwork returns a network that one attacker may have. Its clients get at most a quarter of
// the places of a table, so that they cannot hide the records of all others. Further ones count
// together.
func wideNetwork(client netip.Prefix) netip.Prefix {
	bits := 48
	if client.Addr().Is4() {
		bits = 24
	}
	p, _ := client.Addr().Prefix(bits) // cannot fail
	return p
}

// Flush writes all counts, and begins anew.
func (r *Repeats) Flush() {
	r.mu.Lock()
	tables := r.tables
	r.tables = nil
	r.mu.Unlock()
	for message, t := range tables {
		for key, c := range t.counts {
			r.report(t.level, message, key, c.more)
		}
		r.report(t.level, message, repeatKey{cause: "from other clients"}, t.others)
	}
}

// report writes the record of a count, unless it is zero.
func (r *Repeats) report(level zerolog.Level, message string, key repeatKey, count int) {
	if count == 0 {
		return
	}
	e := r.log.WithLevel(level)
	if level < r.log.GetLevel() {
		return
	}
	e.Str("of", message)
	if key.client.IsValid() {
		e.Stringer("network", key.client)
	}
	text(e, "cause", key.cause)
	e.Int("count", count).Msg("repeated")
}

// KindOfCause returns the beginning of a text that names a cause, without the numbers and details
// that differ from one connection to the next.
func KindOfCause(cause string) string {
	const most = 40
	if i := strings.IndexAny(cause, ":0123456789"); i >= 0 {
		cause = cause[:i]
	}
	return strings.TrimSpace(strings.ToValidUTF8(cause[:min(len(cause), most)], ""))
}
