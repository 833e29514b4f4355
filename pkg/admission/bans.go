// Package admission decides which connections and logins are admitted: it counts failed logins and
// bans their clients, and counts sessions against the limits of the configuration.
package admission

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
)

// Bans counts failed logins and bans the clients that have too many of them (section [ban] of the
// configuration). A client is an IPv4 address or an IPv6 /64, because one host may use every
// address of a /64.
type Bans struct {
	rules config.Ban

	mu    sync.Mutex
	known map[offender]*offence // guarded by mu; at most maxOffenders

	succeeded recent // guarded by mu; the clients whose last login succeeded
}

// An offender is a client together with the user name that it tried, or the client alone (user is
// "").
type offender struct {
	client netip.Prefix
	user   string
}

// An offence is the record of an offender.
type offence struct {
	failures int
	since    time.Time // the time of the first failure that counts
	until    time.Time // the end of the ban; zero without a ban
	cause    string    // the cause of the ban
}

// A Ban is a ban in force, as the log and the admin socket show it.
type Ban struct {
	Client netip.Prefix
	User   string // "" where the client is banned for every user
	Until  time.Time
	Cause  string
}

const (
	maxOffenders  = 1 << 16
	maxBannedName = 64 // bytes of a user name; names that differ only behind them count as one
)

// NewBans returns Bans with these rules, and with no ban in force.
func NewBans(rules config.Ban) *Bans { return &Bans{rules: rules, known: map[offender]*offence{}} }

// client returns the client that an address belongs to. ok is false for a client that is exempt
// from bans. Each exempt address counts by itself, so that failures of one address do not count
// for other addresses of its /64.
func (b *Bans) client(a netip.Addr) (p netip.Prefix, ok bool) {
	if b.rules.Exempt.Contains(a) {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), false
	}
	return auth.Network(a), true
}

// Cause returns the end and the cause of the ban that refuses a login as the user, or "" where
// there is no such ban. With user "", it looks for a ban of the client alone.
func (b *Bans) Cause(a netip.Addr, user string) string {
	client, ok := b.client(a)
	if !ok {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range []offender{{client: client}, {client, cutName(user)}} {
		if off, ok := b.known[o]; ok && time.Now().Before(off.until) {
			return fmt.Sprintf("banned until %s: %s", off.until.Format(time.DateTime), off.cause)
		}
	}
	return ""
}

// Standing returns what the last logins of a client mean for its place in the queue.
func (b *Bans) Standing(client netip.Prefix) auth.Standing {
	b.mu.Lock()
	defer b.mu.Unlock()
	off, ok := b.known[offender{client: client}]
	switch {
	case b.succeeded.has(client):
		return auth.Known
	case ok && off.failures > 0 && !b.expiredLocked(off):
		return auth.Suspect
	}
	return auth.Unknown
}

// Failed counts a failed login. It returns the bans that begin with this failure.
func (b *Bans) Failed(a netip.Addr, user string) []Ban {
	client, ok := b.client(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.succeeded.remove(auth.Network(a))
	name := cutName(user)
	pair := b.countLocked(offender{client, name})
	address := b.countLocked(offender{client: client})
	if !ok {
		return nil
	}
	var begun []Ban
	if n := b.rules.Failures; n > 0 && pair.failures >= n {
		cause := fmt.Sprintf("ban.failures = %d failed logins as this user", n)
		begun = append(begun, b.banLocked(offender{client, name}, pair, cause))
	}
	if n := b.rules.AddressFailures; n > 0 && address.failures >= n {
		cause := fmt.Sprintf("ban.address_failures = %d failed logins", n)
		begun = append(begun, b.banLocked(offender{client: client}, address, cause))
	}
	return begun
}

// Succeeded deletes the failures of a user that has logged in, because this user may have mistyped
// the password before. It remembers the client, except after an anonymous login, which needs no
// password.
func (b *Bans) Succeeded(a netip.Addr, user string) {
	client, _ := b.client(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, offender{client, cutName(user)})
	if user != config.AnonymousUser {
		b.succeeded.add(auth.Network(a))
	}
}

// Flooded bans a client that has sent commands too fast. It returns the bans that begin.
func (b *Bans) Flooded(a netip.Addr) []Ban {
	client, ok := b.client(a)
	if !ok || b.rules.CommandsPerSecond == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o := offender{client: client}
	if off, ok := b.known[o]; ok && time.Now().Before(off.until) {
		return nil // another session of the client has begun the ban
	}
	cause := fmt.Sprintf("more than ban.commands_per_second = %d", b.rules.CommandsPerSecond)
	return []Ban{b.banLocked(o, b.recordLocked(o), cause)}
}

// List returns every ban in force. Bans that name no user come first.
func (b *Bans) List() []Ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Ban
	for o, off := range b.known {
		if time.Now().Before(off.until) {
			all = append(all, Ban{o.client, o.user, off.until, off.cause})
		}
	}
	slices.SortFunc(all, func(x, y Ban) int {
		if c := strings.Compare(x.User, y.User); c != 0 {
			return c
		}
		return x.Client.Compare(y.Client)
	})
	return all
}

// countLocked adds a failure to the record of an offender.
func (b *Bans) countLocked(o offender) *offence {
	off := b.recordLocked(o)
	if b.expiredLocked(off) {
		*off = offence{since: time.Now()}
	}
	off.failures++
	return off
}

// expiredLocked reports whether the failures no longer count, and no ban is in force.
func (b *Bans) expiredLocked(off *offence) bool {
	now := time.Now()
	return now.Sub(off.since) > time.Duration(b.rules.Window) && !now.Before(off.until)
}

func (b *Bans) banLocked(o offender, off *offence, cause string) Ban {
	b.known[o] = off // the record of the pair and that of the client may have evicted each other
	off.until, off.cause = time.Now().Add(time.Duration(b.rules.Duration)), cause
	off.failures = 0 // after the ban, counting begins anew
	return Ban{o.client, o.user, off.until, cause}
}

// recordLocked returns the record of an offender, which it makes if there is none. A new record in
// a full table evicts a less important one, so that millions of addresses evict each other and
// not the bans.
func (b *Bans) recordLocked(o offender) *offence {
	if off, ok := b.known[o]; ok {
		return off
	}
	if len(b.known) >= maxOffenders {
		b.evictLocked()
	}
	off := &offence{since: time.Now()}
	b.known[o] = off
	return off
}

// evictLocked deletes the least important of a few records. A map is ranged over in random order,
// so these are a random sample.
func (b *Bans) evictLocked() {
	const sample = 8
	var least offender
	var found *offence
	seen, now := 0, time.Now()
	for o, off := range b.known {
		if found == nil || compareOffences(off, found, now) < 0 {
			least, found = o, off
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(b.known, least)
}

// compareOffences orders two records by importance: a ban in force comes last, then more failures,
// then the later first failure.
func compareOffences(x, y *offence, now time.Time) int {
	if xb, yb := now.Before(x.until), now.Before(y.until); xb != yb {
		if xb {
			return 1
		}
		return -1
	}
	return cmp.Or(x.failures-y.failures, x.since.Compare(y.since))
}

// cutName returns a copy of the beginning of a user name.
func cutName(user string) string { return strings.Clone(user[:min(len(user), maxBannedName)]) }
