package core

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"ftpd/pkg/monitor"
	"ftpd/pkg/vfs"
)

// names gives owners and groups their names, for LIST and MLSD. It asks for those of a whole batch at once, and remembers the answers, those
// that there is no name, too.
type names struct {
	supervisor monitor.Supervisor

	mu    sync.Mutex
	known nameTable // guarded by mu
	old   nameTable // guarded by mu; what a listing that is under way has learnt before known was emptied
	until time.Time // guarded by mu; then everything is asked anew
}

// A nameTable has the names of ids; "" has none.
type nameTable struct{ users, groups map[uint32]string }

const (
	namesLife = 5 * time.Minute
	maxNames  = 8192 // that are remembered, of users and of groups
)

func newNames(s monitor.Supervisor) *names { return &names{supervisor: s} }

// learn asks for the names that the entries need and that are not known. Whoever has none then shows as a number.
func (n *names) learn(ctx context.Context, entries []vfs.Entry) {
	uids, gids := n.unknown(entries)
	for len(uids)+len(gids) > 0 {
		u := min(len(uids), monitor.MaxNames)
		g := min(len(gids), monitor.MaxNames-u)
		found, err := n.supervisor.Names(ctx, uids[:u], gids[:g])
		if err != nil {
			return
		}
		n.mu.Lock()
		remember(n.known.users, uids[:u], found.Users)
		remember(n.known.groups, gids[:g], found.Groups)
		n.mu.Unlock()
		uids, gids = uids[u:], gids[g:]
	}
}

func (n *names) unknown(entries []vfs.Entry) (uids, gids []uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); now.After(n.until) || len(n.known.users) > maxNames || len(n.known.groups) > maxNames {
		n.old, n.known = n.known, nameTable{make(map[uint32]string), make(map[uint32]string)}
		n.until = now.Add(namesLife)
	}
	asked := make(map[uint64]bool)
	add := func(known map[uint32]string, id uint32, key uint64, to *[]uint32) {
		if _, ok := known[id]; !ok && !asked[key] {
			asked[key] = true
			*to = append(*to, id)
		}
	}
	for i := range entries {
		e := &entries[i]
		if e.Unknown != nil {
			continue
		}
		add(n.known.users, e.UID, uint64(e.UID), &uids)
		add(n.known.groups, e.GID, 1<<32|uint64(e.GID), &gids)
	}
	return uids, gids
}

// remember keeps the answers. A name that a listing cannot show counts as none.
func remember(known map[uint32]string, ids []uint32, names map[uint32]string) {
	for _, id := range ids {
		name := names[id]
		if len(name) > maxNameLength || strings.ContainsFunc(name, breaksListing) {
			name = ""
		}
		known[id] = name
	}
}

// maxNameLength is in bytes; directories have longer ones, but no listing has a column for them.
const maxNameLength = 64

// breaksListing tells what does not belong into a name: blanks, which would shift LIST's columns (clients split at those of Unicode,
// too), control characters, and what ends a fact of MLSD.
func breaksListing(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == ';' || r == '='
}

// of gives the names of an entry's owner and group, "?" where these are not known.
func (n *names) of(e *vfs.Entry) (user, group string) {
	if e.Unknown != nil {
		return "?", "?"
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return name(n.known.users, n.old.users, e.UID), name(n.known.groups, n.old.groups, e.GID)
}

func name(known, old map[uint32]string, id uint32) string {
	name, ok := known[id]
	if !ok {
		name = old[id]
	}
	if name == "" {
		return strconv.FormatUint(uint64(id), 10)
	}
	return name
}
