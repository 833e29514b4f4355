package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/monitor"
)

// A desk answers the cores of one configuration. It is the monitor.Supervisor at the supervisor's side of the boundary, or of the
// core in the same process.
type desk struct {
	config   *config.Config
	registry *registry
	bans     *bans
	auth     auth.Authorizer
	owners   owners // nil: owners are shown as numbers
	keys     *keyring
	log      events.Log
	xferlog  *events.TransferLog // nil: there is none
	apart    tally               // data connections that did not resume
}

// owners finds the names that go with ids, and the id of a group's name; *unixauth.Names is one.
type owners interface {
	Lookup(uids, gids []uint32) (users, groups map[uint32]string, err error)
	Group(name string) (gid uint32, found bool, err error)
}

var errBackend = errors.New("the login could not be checked; the log has the cause")

// Admit implements monitor.Supervisor.
func (d *desk) Admit(_ context.Context, c monitor.Connection) (monitor.Admission, error) {
	id, refusal := "", "Too many failed logins or commands from your address; try again later."
	cause := d.bans.bars(c.Remote.Addr(), "")
	switch {
	case c.Fault != "":
		refusal, cause = "The load balancer does not introduce you.", events.Clean(c.Fault)
	case cause == "":
		id, refusal, cause = d.registry.take(c.Remote)
	}
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
	if why := d.bans.bars(c.Remote, c.User); why != "" {
		return nil, d.refuse(session, s, c, &auth.Refusal{Cause: c.User + ": " + why}) // the password is not looked at
	}
	account, err := d.auth.Authenticate(ctx, c)
	if err == nil {
		d.bans.succeeded(c.Remote, c.User)
		err = d.enter(session, account)
	}
	var refusal *auth.Refusal
	switch {
	case err == nil:
		return account, nil
	case errors.As(err, &refusal) && refusal.Public == "":
		d.begin(d.bans.failed(c.Remote, c.User))
	}
	return nil, d.refuse(session, s, c, err)
}

// enter counts the session as one of the account's.
func (d *desk) enter(session string, account *auth.Account) error {
	settings, err := d.config.For(account.Name, account.Groups)
	if err != nil {
		return err
	}
	if ok, held := d.registry.login(session, account.Name, settings.MaxSessions); !ok {
		return &auth.Refusal{
			Cause:  fmt.Sprintf("max_sessions = %d of %s is reached, by sessions from %s", settings.MaxSessions, account.Name, held),
			Public: "Too many sessions of this user.",
		}
	}
	return nil
}

// refuse logs why a login failed, and gives back what a core may know of it.
func (d *desk) refuse(session string, s entry, c auth.Credentials, why error) error {
	failed := events.Event{Kind: events.LoginFailed, Session: session, User: c.User, Reply: 530, Cause: why.Error()}
	busy := errors.Is(why, auth.ErrBusy)
	if busy {
		failed.Reply = 421
	}
	d.log.Write(events.Record{Event: failed, Remote: s.remote}) // the session may have ended meanwhile
	var refusal *auth.Refusal
	switch {
	case busy:
		return auth.ErrBusy
	case errors.As(why, &refusal):
		return &auth.Refusal{Cause: "refused by the supervisor", Public: refusal.Public}
	}
	return errBackend
}

// begin tells the log of bans that begin.
func (d *desk) begin(begun []ban) {
	for _, b := range begun {
		d.log.Logger.Warn().Stringer("network", b.Client).Str("user", events.Clean(b.User)).Time("until", b.Until).Str("cause", b.Cause).Msg("banned")
	}
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

// ActiveSocket implements monitor.Supervisor.
func (d *desk) ActiveSocket(_ context.Context, _ string, local netip.Addr) (*os.File, error) {
	port := d.config.Data.ActivePort
	if port == 0 {
		return nil, errors.New("data.active_port is 0")
	}
	return boundSocket(netip.AddrPortFrom(local, uint16(port)))
}

// End implements monitor.Supervisor.
func (d *desk) End(session string) { d.registry.end(session) }

// Emit implements events.Sink.
func (d *desk) Emit(e events.Event) {
	s := d.registry.get(e.Session)
	r := events.Record{Event: e, Name: s.user, Remote: s.remote}
	if e.Kind.OfTransfer() && s.former != "" {
		r.Name = s.former // who is there now has to wait for its end
	}
	if e.Kind == events.NotResumed && !d.apart.add(&r) {
		return
	}
	d.log.Write(r)
	if d.xferlog != nil {
		d.xferlog.Write(r)
	}
	switch e.Kind {
	case events.Logout:
		d.registry.logout(e.Session, e.Verb != "")
	case events.LoginFailed: // the core may refuse whom the supervisor has let in
		d.registry.logout(e.Session, false)
	case events.Upload, events.UploadIncomplete, events.Download, events.DownloadIncomplete:
		d.registry.transferred(e.Session)
	case events.Flood:
		d.begin(d.bans.flooded(s.remote.Addr()))
	}
}
