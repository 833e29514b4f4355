package listing

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"ftpd/pkg/vfs"
)

// Owners has the names of owners and groups, for LIST and MLSD. It looks up those of a whole
// batch of entries at once. It remembers the names, and which ids have none. It may be used by
// several goroutines.
type Owners struct {
	lookUp  LookUp
	request int // ids in a call of lookUp, at most

	mu    sync.Mutex
	known nameTable // guarded by mu
	// old is what known was before it was emptied, for listings that began earlier. Guarded by
	// mu.
	old   nameTable
	until time.Time // known is emptied after this time; guarded by mu
}

// LookUp returns the names of users and groups by their ids. An id without a name is not in
// the maps.
type LookUp func(ctx context.Context, uids, gids []uint32) (
	users, groups map[uint32]string, err error)

// A nameTable has names by ids; "" means that the id has none.
type nameTable struct{ users, groups map[uint32]string }

const (
	ownersLife = 5 * time.Minute
	maxOwners  = 8192 // users that are remembered, and groups
)

// NewOwners returns Owners that look up at most request ids in one call.
func NewOwners(request int, lookUp LookUp) *Owners {
	return &Owners{lookUp: lookUp, request: request}
}

// Learn looks up the names that the entries need and that are not known. An owner is shown by
// its number when the name cannot be looked up.
func (o *Owners) Learn(ctx context.Context, entries []vfs.Entry) {
	uids, gids := o.unknown(entries)
	for len(uids)+len(gids) > 0 {
		u := min(len(uids), o.request)
		g := min(len(gids), o.request-u)
		users, groups, err := o.lookUp(ctx, uids[:u], gids[:g])
		if err != nil {
			return
		}
		o.mu.Lock()
		remember(o.known.users, uids[:u], users)
		remember(o.known.groups, gids[:g], groups)
		o.mu.Unlock()
		uids, gids = uids[u:], gids[g:]
	}
}

func (o *Owners) unknown(entries []vfs.Entry) (uids, gids []uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.After(o.until) || len(o.known.users) > maxOwners || len(o.known.groups) > maxOwners {
		o.old, o.known = o.known, nameTable{make(map[uint32]string), make(map[uint32]string)}
		o.until = now.Add(ownersLife)
	}
	seen := make(map[uint64]bool)
	add := func(known map[uint32]string, id uint32, key uint64, to *[]uint32) {
		if _, ok := known[id]; !ok && !seen[key] {
			seen[key] = true
			*to = append(*to, id)
		}
	}
	for i := range entries {
		e := &entries[i]
		if e.Unknown != nil {
			continue
		}
		add(o.known.users, e.UID, uint64(e.UID), &uids)
		add(o.known.groups, e.GID, 1<<32|uint64(e.GID), &gids)
	}
	return uids, gids
}

// remember adds the names of ids to known. A name that a listing cannot show counts as none.
func remember(known map[uint32]string, ids []uint32, names map[uint32]string) {
	for _, id := range ids {
		name := names[id]
		if len(name) > maxNameLength || strings.ContainsFunc(name, breaksListing) {
			name = ""
		}
		known[id] = name
	}
}

// maxNameLength is the length in bytes of the longest name that is shown. Directory services
// have longer ones, but no listing has a column for them.
const maxNameLength = 64

// breaksListing reports whether a name with this character cannot be shown: blanks, Unicode's
// among them, would shift the columns of LIST; control characters, semicolons and equals signs
// would end a line or a fact of MLSD.
func breaksListing(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == ';' || r == '='
}

// Of returns the names of an entry's owner and group, their numbers where there are no names,
// and "?" where the entry could not be described.
func (o *Owners) Of(e *vfs.Entry) (user, group string) {
	if e.Unknown != nil {
		return "?", "?"
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	user = nameOf(o.known.users, o.old.users, e.UID)
	return user, nameOf(o.known.groups, o.old.groups, e.GID)
}

func nameOf(known, old map[uint32]string, id uint32) string {
	name, ok := known[id]
	if !ok {
		name = old[id]
	}
	if name == "" {
		return strconv.FormatUint(uint64(id), 10)
	}
	return name
}
