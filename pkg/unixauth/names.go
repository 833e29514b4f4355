package unixauth

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"sync"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/unixauth/internal/wire"
)

const (
	nameTTL       = 5 * time.Minute  // how long names of owners are kept, and ids without a name
	maxNames      = 10000            // kept users, and as many kept groups
	maxQueryIDs   = 256              // ids in one query, so that the answer fits a message
	namesTimeout  = 10 * time.Second // for one account or group
	lookupTimeout = 5 * time.Second  // for all queries of one Lookup
	lookupPause   = 5 * time.Second  // after a failed Lookup; until then others fail at once
)

// Names queries the name service through one helper without privileges. The helper is started
// when it is needed, and again after it has exited. Names is safe for use by several
// goroutines. Queries are sent one after the other: a caller that must not wait for the queries
// of others needs its own Names.
type Names struct {
	path string

	queryMu sync.Mutex // held during a query
	helper  *helper    // guarded by queryMu; nil when none runs
	closed  bool       // guarded by queryMu

	mu        sync.Mutex
	users     map[uint32]entry // guarded by mu
	groups    map[uint32]entry // guarded by mu
	lookupErr error            // of the last failed Lookup; guarded by mu
	retryAt   time.Time        // until then Lookup returns lookupErr; guarded by mu
}

// An entry is a kept answer about one id.
type entry struct {
	name  string // "" when the id has none
	until time.Time
}

// NewNames returns a Names that uses the helper at path. Where the caller is root, the helper
// changes to the user ftpd-names, or to nobody if there is no such account.
func NewNames(path string) *Names {
	return &Names{path: path, users: map[uint32]entry{}, groups: map[uint32]entry{}}
}

// StartNames is NewNames, but starts the helper at once, so that an installation that cannot
// work is an error.
func StartNames(path string) (*Names, error) {
	n := NewNames(path)
	h, err := n.start()
	if err != nil {
		return nil, err
	}
	n.helper = h
	return n, nil
}

// User looks up an account. The groups are the names of all its groups.
func (n *Names) User(name string) (p Passwd, groups []string, found bool, err error) {
	if badName(name) != "" {
		return Passwd{}, nil, false, nil
	}
	a, err := n.query(wire.Query{User: name}, time.Now().Add(namesTimeout))
	if err != nil || a.Passwd == nil || a.Groups == nil {
		return Passwd{}, nil, false, err
	}
	return *a.Passwd, a.Groups.Groups, true, nil
}

// RunAs returns the identity of an account with all its groups. It is the lookup that
// auth.RunAs needs.
func (n *Names) RunAs(name string) (*impersonate.Credentials, error) {
	if badName(name) != "" {
		return nil, fmt.Errorf("the account %q: its name %s", name, badName(name))
	}
	a, err := n.query(wire.Query{User: name}, time.Now().Add(namesTimeout))
	switch {
	case err != nil:
		return nil, err
	case a.Passwd == nil || a.Groups == nil:
		return nil, fmt.Errorf("the system has no account %q", name)
	}
	return &impersonate.Credentials{UID: a.Passwd.UID, GID: a.Passwd.GID,
		Groups: a.Groups.GIDs}, nil
}

// UserExists reports whether there is an account of that name.
func (n *Names) UserExists(name string) (bool, error) {
	_, _, found, err := n.User(name)
	return found, err
}

// Group looks up a group.
func (n *Names) Group(name string) (gid uint32, found bool, err error) {
	if badName(name) != "" {
		return 0, false, nil
	}
	a, err := n.query(wire.Query{Group: name}, time.Now().Add(namesTimeout))
	if err != nil || a.GID == nil {
		return 0, false, err
	}
	return *a.GID, true, nil
}

// Lookup returns the names of owners; ids without a name are missing. It takes five seconds at
// most. Names are kept for five minutes. An error is kept for five seconds, because one listing
// calls Lookup many times; it shows numbers instead.
func (n *Names) Lookup(uids, gids []uint32) (users, groups map[uint32]string, err error) {
	if err := n.recentError(); err != nil {
		return nil, nil, err
	}
	deadline := time.Now().Add(lookupTimeout)
	users, err = n.lookup(n.users, uids, func(ids []uint32) (map[uint32]string, error) {
		a, err := n.query(wire.Query{UIDs: ids}, deadline)
		return a.UserNames, err
	})
	if err == nil {
		groups, err = n.lookup(n.groups, gids, func(ids []uint32) (map[uint32]string, error) {
			a, err := n.query(wire.Query{GIDs: ids}, deadline)
			return a.GroupNames, err
		})
	}
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.lookupErr, n.retryAt = err, time.Now().Add(lookupPause)
		return nil, nil, err
	}
	return users, groups, nil
}

// recentError returns the error of a Lookup that failed less than lookupPause ago, or nil.
func (n *Names) recentError() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Now().Before(n.retryAt) {
		return n.lookupErr
	}
	return nil
}

// Close ends the helper.
func (n *Names) Close() error {
	n.queryMu.Lock()
	defer n.queryMu.Unlock()
	n.closed = true
	n.dropHelper()
	return nil
}

// lookup returns the names of ids. It takes them from cache, and queries the rest.
func (n *Names) lookup(cache map[uint32]entry, ids []uint32,
	query func([]uint32) (map[uint32]string, error)) (map[uint32]string, error) {
	found, missing := n.cached(cache, ids)
	for some := range slices.Chunk(missing, maxQueryIDs) {
		names, err := query(some)
		if err != nil {
			return nil, err
		}
		n.keep(cache, some, names)
		for _, id := range some {
			if names[id] != "" {
				found[id] = names[id]
			}
		}
	}
	return found, nil
}

func (n *Names) cached(cache map[uint32]entry, ids []uint32) (found map[uint32]string,
	missing []uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found = map[uint32]string{}
	now := time.Now()
	for _, id := range ids {
		e, ok := cache[id]
		switch {
		case !ok || now.After(e.until):
			missing = append(missing, id)
		case e.name != "":
			found[id] = e.name
		}
	}
	return found, missing
}

func (n *Names) keep(cache map[uint32]entry, ids []uint32, names map[uint32]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(cache)+len(ids) > maxNames {
		clear(cache) // rare, and cheaper than keeping the entries in order of age
	}
	until := time.Now().Add(nameTTL)
	for _, id := range ids {
		cache[id] = entry{names[id], until}
	}
}

var errLate = fmt.Errorf("name service: no answer in time: %w", auth.ErrBusy)

// query sends one query and waits for its answer until the deadline. A helper that has exited
// before is replaced. A helper that exits or is late during this query is an error: with a
// second attempt, a query that crashes helpers would crash one after the other.
func (n *Names) query(q wire.Query, deadline time.Time) (wire.Answer, error) {
	n.queryMu.Lock()
	defer n.queryMu.Unlock()
	switch {
	case n.closed:
		return wire.Answer{}, errClosed
	case time.Now().After(deadline): // the queries of others took all the time
		return wire.Answer{}, errLate
	}
	if n.helper != nil && n.helper.hasExited() {
		n.dropHelper()
	}
	if n.helper == nil {
		h, err := n.start()
		if err != nil {
			return wire.Answer{}, err
		}
		n.helper = h
	}
	var a wire.Answer
	if err := n.helper.query(q, &a, deadline); err != nil {
		n.helper.kill()
		return wire.Answer{}, fmt.Errorf("%s names: %w (%s)", n.path, err, n.dropHelper())
	}
	if a.Failed != "" {
		return wire.Answer{}, fmt.Errorf("name service: %s", a.Failed)
	}
	return a, nil
}

// dropHelper ends the helper, if one runs, and returns its exit status or signal. The caller
// holds queryMu.
func (n *Names) dropHelper() string {
	if n.helper == nil {
		return ""
	}
	status := n.helper.end()
	n.helper = nil
	return status
}

func (h *helper) query(q wire.Query, a *wire.Answer, deadline time.Time) error {
	if err := h.conn.SetDeadline(deadline); err != nil {
		return err
	}
	if err := h.conn.Send(q); err != nil {
		return err
	}
	return h.conn.Receive(a)
}

// start starts a helper. Under root, the helper starts as root and changes to namesAccount
// afterwards, because that account may lack access to the directory of the program.
func (n *Names) start() (*helper, error) {
	args := []string{"names"}
	if os.Geteuid() == 0 {
		uid, gid, err := namesIdentity()
		if err != nil {
			return nil, err
		}
		args = append(args, uid, gid)
	}
	h, err := startHelper(n.path, args...)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", n.path, err)
	}
	return h, nil
}

// namesAccount is the account of the helper for names. It owns nothing and runs nothing else, so
// that no other program can act on the helper.
const namesAccount = "ftpd-names"

// CheckNames returns the reason why the helper for names has no account of its own, nil if it has
// one.
func CheckNames() error {
	_, err := user.Lookup(namesAccount)
	if err != nil {
		err = fmt.Errorf("names are looked up as the user nobody, which other programs may use, too: "+
			"useradd --system --user-group --no-create-home --home-dir /nonexistent "+
			"--shell /usr/sbin/nologin %s (%w)", namesAccount, err)
	}
	return err
}

// NamesUID returns the uid that the helper for names has if the caller is root.
func NamesUID() (uint32, error) {
	text, _, err := namesIdentity()
	if err != nil {
		return 0, err
	}
	uid, err := strconv.ParseUint(text, 10, 32)
	return uint32(uid), err
}

// namesIdentity returns the uid and gid of namesAccount. Where it does not exist, those of nobody
// are returned, or the kernel's overflow uid and gid.
func namesIdentity() (uid, gid string, err error) {
	for _, name := range []string{namesAccount, "nobody"} {
		account, err := user.Lookup(name)
		if err == nil {
			return account.Uid, account.Gid, nil
		}
		if _, unknown := errors.AsType[user.UnknownUserError](err); !unknown {
			return "", "", err
		}
	}
	return "65534", "65534", nil
}
