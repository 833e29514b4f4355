package supervisor

import (
	"context"
	"errors"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
	"ftpd/pkg/monitor"
)

// A desk answers the cores of one configuration. It is the monitor.Supervisor at the supervisor's side of the boundary, or of the
// core in the same process.
type desk struct {
	registry *registry
	auth     auth.Authorizer
	owners   owners // nil: owners are shown as numbers
	keys     *keyring
	log      events.Log
	apart    tally // data connections that did not resume
}

// owners finds the names that go with ids, and the id of a group's name; *unixauth.Names is one.
type owners interface {
	Lookup(uids, gids []uint32) (users, groups map[uint32]string, err error)
	Group(name string) (gid uint32, found bool, err error)
}

var errBackend = errors.New("the login could not be checked; the log has the cause")

// Admit implements monitor.Supervisor.
func (d *desk) Admit(_ context.Context, c monitor.Connection) (monitor.Admission, error) {
	id, refusal, cause := d.registry.take(c.Remote)
	if refusal != "" {
		d.log.Logger.Warn().Str("remote", c.Remote.String()).Int("reply", 421).Str("cause", cause).Msg("refused")
		return monitor.Admission{Refusal: refusal}, nil
	}
	return monitor.Admission{Session: id}, nil
}

// Authenticate implements monitor.Supervisor.
func (d *desk) Authenticate(ctx context.Context, session string, c auth.Credentials) (*auth.Account, error) {
	s, known := d.registry.find(session)
	if !known { // it has ended meanwhile
		return nil, &auth.Refusal{Cause: "the session has ended"}
	}
	c.Remote = s.remote.Addr().Unmap()
	account, err := d.auth.Authenticate(ctx, c)
	if err == nil {
		d.registry.name(session, account.Name)
		return account, nil
	}
	failed := events.Event{Kind: events.LoginFailed, Session: session, User: c.User, Reply: 530, Cause: err.Error()}
	d.log.Write(events.Record{Event: failed, Remote: s.remote}) // the session may have ended meanwhile
	var refusal *auth.Refusal
	if errors.As(err, &refusal) {
		return nil, &auth.Refusal{Cause: "refused by the supervisor"}
	}
	return nil, errBackend
}

// Names implements monitor.Supervisor.
func (d *desk) Names(_ context.Context, uids, gids []uint32) (monitor.Names, error) {
	if d.owners == nil {
		return monitor.Names{}, nil
	}
	users, groups, err := d.owners.Lookup(uids, gids)
	return monitor.Names{Users: users, Groups: groups}, err
}

// Group implements monitor.Supervisor. Without a name service no name is known.
func (d *desk) Group(_ context.Context, name string) (gid uint32, found bool, err error) {
	if d.owners == nil {
		return 0, false, nil
	}
	return d.owners.Group(name)
}

// Sign implements monitor.Supervisor.
func (d *desk) Sign(_ context.Context, h monitor.Handshake) ([]byte, error) { return d.keys.sign(h) }

// End implements monitor.Supervisor.
func (d *desk) End(session string) { d.registry.end(session) }

// Emit implements events.Sink.
func (d *desk) Emit(e events.Event) {
	s := d.registry.get(e.Session)
	r := events.Record{Event: e, Name: s.user, Remote: s.remote}
	if e.Kind == events.NotResumed && !d.apart.add(&r) {
		return
	}
	d.log.Write(r)
	if e.Kind == events.Logout {
		d.registry.name(e.Session, "")
	}
}
