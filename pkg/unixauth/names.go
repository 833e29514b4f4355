package unixauth

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"sync"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/unixauth/internal/wire"
)

const (
	nameTTL      = 5 * time.Minute  // of names of owners, and of ids without a name
	maxNames     = 10000            // users and groups each
	maxQuestion  = 256              // ids in one question, so that the answer fits a message
	namesTimeout = 10 * time.Second // of one account or group
	ownersTime   = 5 * time.Second  // of all that a Lookup asks, and until the next one asks again after a failure
)

// Names asks the name service, through one helper without privileges that is started when it is needed, and again when it died. It is
// safe for use by several goroutines, whose questions are put one after the other: whoever must not wait for others has a Names of his own.
type Names struct {
	path string

	asking sync.Mutex // one question at a time
	helper *helper    // guarded by asking; nil when there is none
	closed bool       // guarded by asking

	mu     sync.Mutex
	users  map[uint32]entry // guarded by mu
	groups map[uint32]entry // guarded by mu
	failed error            // of the last Lookup; guarded by mu
	again  time.Time        // until then the next one fails likewise; guarded by mu
}

type entry struct {
	name  string // "" when the id has none
	until time.Time
}

// NewNames will start the helper of that path. Where the caller is root, the helper becomes the user nobody.
func NewNames(path string) *Names {
	return &Names{path: path, users: map[uint32]entry{}, groups: map[uint32]entry{}}
}

// StartNames is NewNames, and starts the helper at once, so that an installation that cannot work is told.
func StartNames(path string) (*Names, error) {
	n := NewNames(path)
	h, err := n.start()
	if err != nil {
		return nil, err
	}
	n.helper = h
	return n, nil
}

// User looks an account up. The groups are the names of all its groups.
func (n *Names) User(name string) (p Passwd, groups []string, found bool, err error) {
	if badName(name) != "" {
		return Passwd{}, nil, false, nil
	}
	a, err := n.ask(wire.Question{User: name}, time.Now().Add(namesTimeout))
	if err != nil || a.Passwd == nil || a.Groups == nil {
		return Passwd{}, nil, false, err
	}
	return *a.Passwd, a.Groups.Groups, true, nil
}

// RunAs is the identity of an account, with all its groups: what auth.RunAs asks for.
func (n *Names) RunAs(name string) (*impersonate.Credentials, error) {
	if badName(name) != "" {
		return nil, fmt.Errorf("the account %q: its name %s", name, badName(name))
	}
	a, err := n.ask(wire.Question{User: name}, time.Now().Add(namesTimeout))
	switch {
	case err != nil:
		return nil, err
	case a.Passwd == nil || a.Groups == nil:
		return nil, fmt.Errorf("the system has no account %q", name)
	}
	return &impersonate.Credentials{UID: a.Passwd.UID, GID: a.Passwd.GID, Groups: a.Groups.GIDs}, nil
}

// UserExists tells whether there is an account of that name.
func (n *Names) UserExists(name string) (bool, error) {
	_, _, found, err := n.User(name)
	return found, err
}

// Group looks a group up.
func (n *Names) Group(name string) (gid uint32, found bool, err error) {
	if badName(name) != "" {
		return 0, false, nil
	}
	a, err := n.ask(wire.Question{Group: name}, time.Now().Add(namesTimeout))
	if err != nil || a.GID == nil {
		return 0, false, err
	}
	return *a.GID, true, nil
}

// Lookup gives the names of owners; ids without a name are missing. It takes five seconds at most. Answers are kept for five minutes,
// and for five seconds that there was none: a listing asks often, and shows numbers meanwhile.
func (n *Names) Lookup(uids, gids []uint32) (users, groups map[uint32]string, err error) {
	if err := n.down(); err != nil {
		return nil, nil, err
	}
	by := time.Now().Add(ownersTime)
	users, err = n.lookup(n.users, uids, func(ids []uint32) (map[uint32]string, error) {
		a, err := n.ask(wire.Question{UIDs: ids}, by)
		return a.UserNames, err
	})
	if err == nil {
		groups, err = n.lookup(n.groups, gids, func(ids []uint32) (map[uint32]string, error) {
			a, err := n.ask(wire.Question{GIDs: ids}, by)
			return a.GroupNames, err
		})
	}
	if err != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.failed, n.again = err, time.Now().Add(ownersTime)
		return nil, nil, err
	}
	return users, groups, nil
}

// down is the failure of a Lookup a moment ago.
func (n *Names) down() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Now().Before(n.again) {
		return n.failed
	}
	return nil
}

// Close ends the helper.
func (n *Names) Close() error {
	n.asking.Lock()
	defer n.asking.Unlock()
	n.closed = true
	n.dropHelper()
	return nil
}

func (n *Names) lookup(cache map[uint32]entry, ids []uint32, ask func([]uint32) (map[uint32]string, error)) (map[uint32]string, error) {
	found, missing := n.cached(cache, ids)
	for some := range slices.Chunk(missing, maxQuestion) {
		names, err := ask(some)
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

func (n *Names) cached(cache map[uint32]entry, ids []uint32) (found map[uint32]string, missing []uint32) {
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
		clear(cache) // rare, and cheaper than to keep an order
	}
	until := time.Now().Add(nameTTL)
	for _, id := range ids {
		cache[id] = entry{names[id], until}
	}
}

var errLate = fmt.Errorf("name service: no answer in time: %w", auth.ErrBusy)

// ask puts one question, which must be answered by that time. A helper that died before is replaced; one that dies or is late over this question is an error, lest a
// question that kills helpers goes on doing so.
func (n *Names) ask(q wire.Question, by time.Time) (wire.Answer, error) {
	n.asking.Lock()
	defer n.asking.Unlock()
	switch {
	case n.closed:
		return wire.Answer{}, errClosed
	case time.Now().After(by): // all of it was spent on others' questions
		return wire.Answer{}, errLate
	}
	if n.helper != nil && n.helper.ended() {
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
	if err := n.helper.ask(q, &a, by); err != nil {
		n.helper.kill()
		return wire.Answer{}, fmt.Errorf("%s names: %w (%s)", n.path, err, n.dropHelper())
	}
	if a.Failed != "" {
		return wire.Answer{}, fmt.Errorf("name service: %s", a.Failed)
	}
	return a, nil
}

// dropHelper is called with asking held.
func (n *Names) dropHelper() string {
	if n.helper == nil {
		return ""
	}
	how := n.helper.end()
	n.helper = nil
	return how
}

func (h *helper) ask(q wire.Question, a *wire.Answer, by time.Time) error {
	if err := h.conn.SetDeadline(by); err != nil {
		return err
	}
	if err := h.conn.Send(q); err != nil {
		return err
	}
	return h.conn.Receive(a)
}

// start starts a helper that changes to nobody by itself, since nobody could perhaps not reach the program's directory.
func (n *Names) start() (*helper, error) {
	args := []string{"names"}
	if os.Geteuid() == 0 {
		nobody, err := user.Lookup("nobody")
		var unknown user.UnknownUserError
		switch {
		case errors.As(err, &unknown):
			args = append(args, "65534", "65534") // what the kernel shows for ids that it cannot show
		case err != nil:
			return nil, err
		default:
			args = append(args, nobody.Uid, nobody.Gid)
		}
	}
	h, err := startHelper(n.path, args...)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", n.path, err)
	}
	return h, nil
}
