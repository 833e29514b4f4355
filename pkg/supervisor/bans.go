package supervisor

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

// bans counts failed logins and keeps away who has too many of them ([ban]). A client is an IPv4 address or an IPv6 /64, of which one
// host may use every address.
type bans struct {
	rules config.Ban

	mu    sync.Mutex
	known map[offender]*offence // guarded by mu; at most maxOffenders
}

// An offender is a client together with the user name that it tried, or a client alone (no name).
type offender struct {
	client netip.Prefix
	user   string
}

// An offence is what an offender has done.
type offence struct {
	failures int
	since    time.Time // of the first one that counts
	until    time.Time // the end of a ban; zero without one
	cause    string    // of the ban
}

// A ban is one that is in force, for people to see.
type ban struct {
	Client netip.Prefix `json:"client"`
	User   string       `json:"user,omitempty"` // "" where all of the client is banned
	Until  time.Time    `json:"until"`
	Cause  string       `json:"cause"`
}

const (
	maxOffenders  = 1 << 16
	maxBannedName = 64 // bytes of a user name; what follows makes no difference
	suspicious    = 2  // failures after which a client's logins wait behind others'
)

func newBans(rules config.Ban) *bans { return &bans{rules: rules, known: map[offender]*offence{}} }

// client is who stands behind an address; ok is false for those who are never banned. Of these each address counts by itself: it has
// nothing to do with its neighbours.
func (b *bans) client(a netip.Addr) (p netip.Prefix, ok bool) {
	if b.rules.Exempt.Contains(a) {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), false
	}
	return auth.Network(a), true
}

// bars says why a client may not come in, "" being nothing: as the user of that name, or with no name as anybody.
func (b *bans) bars(a netip.Addr, user string) string {
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

// suspects says whether a client has failed so often that others come first.
func (b *bans) suspects(client netip.Prefix) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	off, ok := b.known[offender{client: client}]
	return ok && off.failures >= suspicious && !b.pastLocked(off)
}

// failed counts a failed login. It returns the bans that begin with it.
func (b *bans) failed(a netip.Addr, user string) []ban {
	client, ok := b.client(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	name := cutName(user)
	pair, address := b.countLocked(offender{client, name}), b.countLocked(offender{client: client})
	if !ok {
		return nil
	}
	var begun []ban
	if n := b.rules.Failures; n > 0 && pair.failures >= n {
		begun = append(begun, b.banLocked(offender{client, name}, pair, fmt.Sprintf("ban.failures = %d failed logins as this user", n)))
	}
	if n := b.rules.AddressFailures; n > 0 && address.failures >= n {
		begun = append(begun, b.banLocked(offender{client: client}, address, fmt.Sprintf("ban.address_failures = %d failed logins", n)))
	}
	return begun
}

// succeeded forgets how often somebody mistyped a password who knows it.
func (b *bans) succeeded(a netip.Addr, user string) {
	client, _ := b.client(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.known, offender{client, cutName(user)})
}

// flooded bans a client whose commands came too fast.
func (b *bans) flooded(a netip.Addr) []ban {
	client, ok := b.client(a)
	if !ok || b.rules.CommandsPerSecond == 0 {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	o := offender{client: client}
	if off, ok := b.known[o]; ok && time.Now().Before(off.until) {
		return nil // by another session already
	}
	return []ban{b.banLocked(o, b.recordLocked(o), fmt.Sprintf("more than ban.commands_per_second = %d", b.rules.CommandsPerSecond))}
}

// list is every ban in force, those of whole clients first.
func (b *bans) list() []ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []ban
	for o, off := range b.known {
		if time.Now().Before(off.until) {
			all = append(all, ban{o.client, o.user, off.until, off.cause})
		}
	}
	slices.SortFunc(all, func(x, y ban) int {
		if c := strings.Compare(x.User, y.User); c != 0 {
			return c
		}
		return x.Client.Compare(y.Client)
	})
	return all
}

func (b *bans) countLocked(o offender) *offence {
	off := b.recordLocked(o)
	if b.pastLocked(off) {
		*off = offence{since: time.Now()}
	}
	off.failures++
	return off
}

// pastLocked says that what was done does not count any more.
func (b *bans) pastLocked(off *offence) bool {
	now := time.Now()
	return now.Sub(off.since) > time.Duration(b.rules.Window) && !now.Before(off.until)
}

func (b *bans) banLocked(o offender, off *offence, cause string) ban {
	b.known[o] = off // another record may just have pushed it out
	off.until, off.cause = time.Now().Add(time.Duration(b.rules.Duration)), cause
	off.failures = 0 // after the ban, it counts from the beginning
	return ban{o.client, o.user, off.until, cause}
}

// recordLocked is what is known of an offender. When the table is full, it takes the place of one that matters less: of some, one
// without a ban, and of these the one with the fewest failures. So addresses by the million push out each other.
func (b *bans) recordLocked(o offender) *offence {
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

func (b *bans) evictLocked() {
	const some = 8
	var least offender
	var found *offence
	looked, now := 0, time.Now()
	for o, off := range b.known { // begins anywhere
		if found == nil || matters(off, found, now) < 0 {
			least, found = o, off
		}
		if looked++; looked == some {
			break
		}
	}
	delete(b.known, least)
}

// matters compares which of two is worth more to remember.
func matters(x, y *offence, now time.Time) int {
	if xb, yb := now.Before(x.until), now.Before(y.until); xb != yb {
		if xb {
			return 1
		}
		return -1
	}
	return cmp.Or(x.failures-y.failures, x.since.Compare(y.since))
}

func cutName(user string) string { return strings.Clone(user[:min(len(user), maxBannedName)]) }
