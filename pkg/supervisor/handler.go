package supervisor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/rs/zerolog"

	"ftpd/pkg/admission"
	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/events"
	"ftpd/pkg/keyring"
	"ftpd/pkg/monitor"
)

// A handler answers the requests of all cores that have one configuration. It implements
// monitor.Supervisor, for cores in other processes and for the core in this process.
type handler struct {
	config   *config.Config
	registry *admission.Registry
	bans     *admission.Bans
	auth     auth.Authorizer
	owners   owners // nil: owners are shown as numbers
	keys     *keyring.Keyring
	log      events.Log
	repeats  *events.Repeats     // bounds the records that clients without a login cause
	xferlog  *events.TransferLog // nil: there is none

	// cores returns the cores that run; nil while none does.
	cores func() []runningCore

	// notResumed counts data connections that did not resume the control connection's TLS session.
	notResumed events.Tally

	logins logins // those that the backend keeps until the logout
}

// owners looks up the names of user and group ids, and the id of a group. *unixauth.Names
// implements it.
type owners interface {
	Lookup(uids, gids []uint32) (users, groups map[uint32]string, err error)
	Group(name string) (gid uint32, found bool, err error)
}

var errBackend = errors.New("the login could not be checked; the log has the cause")

// Admit implements monitor.Supervisor.
func (h *handler) Admit(_ context.Context, c monitor.Connection) (monitor.Admission, error) {
	id, refused := h.take(c)
	if refused.Text == "" {
		return monitor.Admission{Session: id}, nil
	}
	if h.mayWrite("refused", c.Remote, cmp.Or(events.KindOfCause(c.Fault), refused.Text)) {
		h.log.Logger.Warn().Str("remote", c.Remote.String()).
			Int("reply", 421).Str("cause", refused.Cause()).Msg("refused")
	}
	return monitor.Admission{Refusal: refused.Text}, nil
}

// take admits a connection, or returns why it is refused.
func (h *handler) take(c monitor.Connection) (id string, refused admission.Refusal) {
	if c.Fault != "" {
		return "", admission.Refusal{
			Text:  "The load balancer does not introduce you.",
			Cause: func() string { return events.Clean(c.Fault) },
		}
	}
	if cause := h.bans.Cause(c.Remote.Addr(), ""); cause != "" {
		return "", admission.Refusal{
			Text:  "Too many failed logins or commands from your address; try again later.",
			Cause: func() string { return cause },
		}
	}
	defer h.endDisplaced()
	return h.registry.Take(c.Remote)
}

// mayWrite reports whether a warning about a client may be written to the log. Otherwise it is
// counted.
func (h *handler) mayWrite(message string, remote netip.AddrPort, cause string) bool {
	return h.repeats.Write(zerolog.WarnLevel, message, auth.Network(remote.Addr()), cause)
}

// endDisplaced ends the sessions that the newest one has displaced.
func (h *handler) endDisplaced() {
	for _, d := range h.registry.Displaced() {
		if h.mayWrite("displaced", d.Remote, "") {
			h.log.Logger.Warn().Str("session", d.ID).Str("remote", d.Remote.String()).
				Int("reply", 421).Str("cause", d.Cause).Msg("displaced")
		}
		go func() { // ends when the core has received the order, within a deadline
			for _, core := range h.cores() {
				_ = core.Displace(d.ID) // fails only if the core has ended
			}
		}()
	}
}

// Authenticate implements monitor.Supervisor.
func (h *handler) Authenticate(
	ctx context.Context, session string, c auth.Credentials,
) (*auth.Account, error) {
	s, ok := h.registry.BeginCheck(session)
	if !ok { // it has ended meanwhile, or is about to
		return nil, auth.ErrBusy
	}
	defer h.registry.EndCheck(session)
	c.Remote = s.Remote.Addr().Unmap().WithZone("")           // it is compared with networks
	if cause := h.bans.Cause(c.Remote, c.User); cause != "" { // the password is not checked
		return nil, h.refuse(ctx, session, s, c, &auth.Refusal{Cause: c.User + ": " + cause})
	}
	account, err := h.auth.Authenticate(ctx, c)
	if err == nil {
		h.bans.Succeeded(c.Remote, c.User)
		err = context.Cause(ctx) // the session may have ended during the check
	}
	if err == nil {
		err = h.countLogin(session, account)
	}
	var refusal *auth.Refusal
	switch {
	case err == nil:
		h.logins.begin(session, account)
		if _, ok := h.registry.Find(session); !ok {
			h.logins.end(session)
		}
		return account, nil
	case errors.As(err, &refusal) && refusal.Public == "":
		h.logBans(h.bans.Failed(c.Remote, c.User))
	}
	if account != nil {
		account.End()
	}
	return nil, h.refuse(ctx, session, s, c, err)
}

// countLogin counts the session as one of the account's. It refuses the login where max_sessions
// of the account is reached.
func (h *handler) countLogin(session string, account *auth.Account) error {
	settings, err := h.config.For(account.Name, account.Groups)
	if err != nil {
		return err
	}
	ok, held := h.registry.Login(session, account.Name, settings.MaxSessions)
	if !ok {
		return &auth.Refusal{
			Cause: fmt.Sprintf("max_sessions = %d of %s is reached, by sessions from %s",
				settings.MaxSessions, account.Name, held),
			Public: "Too many sessions of this user.",
		}
	}
	return nil
}

// refuse logs the cause of a failed login. It returns an error with what the core may know: the
// text for the client, but not the cause. If the session has ended before the check did, which ctx
// shows, the client has read another reply than 530, or none.
func (h *handler) refuse(
	ctx context.Context, session string, s admission.Session, c auth.Credentials, cause error,
) error {
	failed := events.Event{
		Kind:    events.LoginFailed,
		Session: session,
		User:    c.User,
		Reply:   530,
		Cause:   cause.Error(),
	}
	var refusal *auth.Refusal
	refused := errors.As(cause, &refusal)
	busy := errors.Is(cause, auth.ErrBusy)
	switch {
	case ctx.Err() != nil:
		failed.Reply = 0
	case busy:
		failed.Reply = 421
	}
	// Emit would find no address, if the session has ended meanwhile.
	h.record(events.Record{Event: failed, Remote: s.Remote}, s)
	switch {
	case busy:
		return auth.ErrBusy
	case refused:
		return &auth.Refusal{Cause: "refused by the supervisor", Public: refusal.Public}
	}
	return errBackend
}

// record writes a record about a session to the log. Of the records that a client causes without a
// login, it writes the first ones and counts the others.
func (h *handler) record(r events.Record, s admission.Session) {
	client := auth.Network(s.Remote.Addr())
	switch level := r.Kind.Level(); {
	case r.Kind == events.Connect:
		if !h.repeats.WriteFirst(level, string(r.Kind), client) {
			h.registry.SetUnrecorded(r.Session, true)
			return
		}
	case r.Kind == events.Login && s.Unrecorded:
		h.registry.SetUnrecorded(r.Session, false)
		connect := events.Event{Kind: events.Connect, Session: r.Session}
		h.log.Write(events.Record{Event: connect, Remote: s.Remote})
	case r.Kind == events.LoginFailed:
		if !h.repeats.Write(level, string(r.Kind), client, "") {
			return
		}
		shortenName(&r.Event)
	case r.Kind.WithoutLogin() && !s.LoggedIn:
		if !h.repeats.Write(level, string(r.Kind), client, events.KindOfCause(r.Cause)) {
			return
		}
	}
	h.log.Write(r)
}

// maxLoggedName is the length in bytes of the longest name in the record of a failed login.
const maxLoggedName = 128

// shortenName cuts the name that a client has tried, also in the cause, because it may be as long as
// a command line.
func shortenName(e *events.Event) {
	if len(e.User) <= maxLoggedName {
		return
	}
	short := e.User[:maxLoggedName] + "…"
	e.Cause = strings.ReplaceAll(e.Cause, e.User, short)
	e.User = short
}

// logBans logs bans that begin.
func (h *handler) logBans(begun []admission.Ban) {
	for _, b := range begun {
		if !h.repeats.Write(zerolog.WarnLevel, "banned", b.Client, "") {
			continue
		}
		h.log.Logger.Warn().Stringer("network", b.Client).Str("user", events.Clean(b.User)).
			Time("until", b.Until).Str("cause", b.Cause).Msg("banned")
	}
}

// Names implements monitor.Supervisor.
func (h *handler) Names(_ context.Context, uids, gids []uint32) (monitor.Names, error) {
	if h.owners == nil {
		return monitor.Names{}, nil
	}
	users, groups, err := h.owners.Lookup(uids, gids)
	return monitor.Names{Users: users, Groups: groups}, err
}

// Group implements monitor.Supervisor. Without owners it finds no group.
func (h *handler) Group(_ context.Context, name string) (gid uint32, found bool, err error) {
	if h.owners == nil {
		return 0, false, nil
	}
	return h.owners.Group(name)
}

// Sign implements monitor.Supervisor.
func (h *handler) Sign(_ context.Context, hs monitor.Handshake) ([]byte, error) {
	return h.keys.Sign(hs)
}

// ActiveSocket implements monitor.Supervisor.
func (h *handler) ActiveSocket(
	_ context.Context, session string, way monitor.ActiveWay,
) (*os.File, error) {
	data, client := &h.config.Data, h.registry.Get(session).Remote.Addr()
	to := way.To.Addr()
	switch {
	case !data.Active:
		return nil, errors.New("data.active is false")
	case !client.IsValid() || to != client && !data.ForeignNetworks.Contains(to):
		return nil, fmt.Errorf("%s is neither the client nor in data.foreign_networks", to)
	case way.To.Port() < 1024 && !data.AllowPrivilegedPorts:
		return nil, errors.New("ports below 1024 need data.allow_privileged_ports")
	}
	return connecting(way.From, uint16(data.ActivePort), way.To)
}

// End implements monitor.Supervisor.
func (h *handler) End(session string) {
	h.registry.End(session)
	h.logins.end(session)
}

// Emit implements events.Sink.
func (h *handler) Emit(e events.Event) {
	if e.Kind == events.Dropped {
		h.log.Write(events.Record{Event: e, Count: e.Lost})
		return
	}
	s := h.registry.Get(e.Session)
	r := events.Record{Event: e, Name: s.User, Remote: s.Remote}
	switch {
	case e.Kind.OfTransfer() && s.Former != "":
		// While a transfer of the former user runs, no transfer of the present user can begin.
		r.Name = s.Former
	case e.Former && e.Kind != events.Logout:
		r.Name = s.Left
	}
	if e.Kind == events.NotResumed && !h.notResumed.Add(&r) {
		return
	}
	if !e.Unwritten {
		h.record(r, s)
	}
	if h.xferlog != nil && !e.Unwritten {
		h.xferlog.Write(r)
	}
	switch e.Kind {
	case events.Logout:
		h.registry.Logout(e.Session, e.Former, e.Verb != "")
		h.logins.end(e.Session)
	case events.LoginFailed: // the core may refuse a login that the supervisor has accepted
		h.registry.Logout(e.Session, false, false)
		h.logins.end(e.Session)
	case events.Upload, events.UploadIncomplete, events.Download, events.DownloadIncomplete:
		h.registry.Transferred(e.Session)
	case events.Flood:
		h.logBans(h.bans.Flooded(s.Remote.Addr()))
	}
}
