package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
)

// The messages of the life of a session: admit, authenticate, event and end.

const admit kind = "admit"

// Admit implements Supervisor.
func (c *Client) Admit(ctx context.Context, conn Connection) (Admission, error) {
	var a Admission
	err := c.call(ctx, admit, conn, &a)
	return a, err
}

// endUnknown releases the slot of an admission that arrived after its caller had returned.
func (c *Client) endUnknown(body json.RawMessage) {
	var a Admission
	if err := json.Unmarshal(body, &a); err == nil && a.Session != "" {
		c.End(a.Session)
	}
}

func (s *Server) admit(ctx context.Context, r request, c Connection) error {
	if s.hasClosed() {
		return errors.New("core requested the admission of a session after it was replaced and " +
			"had closed its listeners")
	}
	c.Remote = netip.AddrPortFrom(checkedZone(c.Remote.Addr()), c.Remote.Port())
	s.mu.Lock()
	full := len(s.sessions) >= maxSessions
	s.mu.Unlock()
	if full {
		s.reply(r, Admission{Refusal: "Too many sessions on this server."})
		return nil
	}
	a, err := s.sup.Admit(ctx, c)
	if err != nil {
		a = Admission{Refusal: "Service not available."}
	}
	if a.Session != "" {
		s.mu.Lock()
		s.sessions[a.Session] = &session{}
		if s.look != nil {
			s.look.limit++
		}
		s.mu.Unlock()
	}
	s.reply(r, a)
	return nil
}

const authenticate kind = "authenticate"

type authenticateBody struct {
	Session  string        `json:"session"`
	User     []byte        `json:"user"`
	Password auth.Password `json:"password,omitempty"` // set by the decoder alone
	secret   auth.Password // what encode sends as Password
}

type authenticateAnswer struct {
	Account *auth.Account `json:"account,omitempty"`
	Refused bool          `json:"refused,omitempty"`
	Public  string        `json:"public,omitempty"` // with Refused: the part that the client may see
	Busy    bool          `json:"busy,omitempty"`   // auth.ErrBusy
}

// Authenticate implements Supervisor.
func (c *Client) Authenticate(
	ctx context.Context, session string, cred auth.Credentials,
) (*auth.Account, error) {
	var a authenticateAnswer
	body := authenticateBody{Session: session, User: []byte(cred.User), secret: cred.Password}
	if err := c.call(ctx, authenticate, body, &a); err != nil {
		return nil, err
	}
	switch {
	case a.Refused:
		return nil, &auth.Refusal{Cause: "refused by the supervisor", Public: a.Public}
	case a.Busy:
		return nil, auth.ErrBusy
	case a.Account == nil:
		return nil, errors.New("the supervisor could not check the login")
	}
	return a.Account, nil
}

// errSessionEnded is the cause with which end cancels a running login.
var errSessionEnded = errors.New("the session ended before the login was checked")

// authenticate starts a login. It refuses a second login at the same time and logins beyond
// the bound of attempts, without a check of the password.
func (s *Server) authenticate(ctx context.Context, r request, body authenticateBody) error {
	s.mu.Lock()
	ses := s.sessions[body.Session]
	allowed := ses != nil && ses.cancelLogin == nil && ses.failed < s.attempts
	if allowed {
		loginCtx, cancel := context.WithCancelCause(ctx)
		ses.cancelLogin = cancel
		go s.login(loginCtx, r, ses, body) // ends with the login, or with its session
	}
	s.mu.Unlock()
	if !allowed {
		clear(body.Password)
	}
	switch {
	case ses == nil:
		return errors.New("core requested a login of a session that it does not have")
	case !allowed:
		s.reply(r, authenticateAnswer{Refused: true})
	}
	return nil
}

// login checks a login and sends the answer.
func (s *Server) login(ctx context.Context, r request, ses *session, body authenticateBody) {
	cred := auth.Credentials{User: string(body.User), Password: body.Password}
	account, err := s.sup.Authenticate(ctx, body.Session, cred)
	clear(cred.Password)
	var refusal *auth.Refusal
	a := authenticateAnswer{
		Account: account,
		Refused: errors.As(err, &refusal),
		Busy:    errors.Is(err, auth.ErrBusy),
	}
	if a.Refused {
		a.Public = refusal.Public
	}
	s.mu.Lock()
	ses.cancelLogin(nil)
	ses.cancelLogin = nil
	if a.Refused {
		ses.failed++ // other errors reveal nothing about the password
	}
	ses.history.authenticated = ses.history.authenticated || account != nil
	s.mu.Unlock()
	if !s.reply(r, a) {
		s.sup.Emit(events.Event{
			Kind: events.LoginFailed, Session: body.Session, User: string(body.User), Reply: 530,
			Cause: fmt.Sprintf("the account needs more than %d bytes: it is in too many groups",
				maxAnswer),
		})
		s.reply(r, authenticateAnswer{})
	}
}

// An eventBody shadows the fields of Event that hold bytes of clients.
type eventBody struct {
	events.Event
	Path   []byte `json:"path,omitempty"`
	Host   []byte `json:"host,omitempty"`
	To     []byte `json:"to,omitempty"`
	User   []byte `json:"user,omitempty"`
	Cause  []byte `json:"cause,omitempty"`
	Client []byte `json:"client,omitempty"`
}

// maxText bounds each text of an event, so that the event stays under its bound in the table.
// Paths have at most PATH_MAX bytes.
const maxText = 4096

func packEvent(e events.Event) eventBody {
	return eventBody{
		Event:  e,
		Path:   truncate(e.Path, maxText),
		Host:   truncate(e.Host, maxText),
		To:     truncate(e.To, maxText),
		User:   truncate(e.User, maxText),
		Cause:  truncate(e.Cause, maxText),
		Client: []byte(e.Client),
	}
}

func (b eventBody) unpack() events.Event {
	e := b.Event
	e.Path, e.Host, e.To = string(b.Path), string(b.Host), string(b.To)
	e.User, e.Cause, e.Client = string(b.User), string(b.Cause), string(b.Client)
	return e
}

// Emit implements events.Sink. Like End, it fails only if the supervisor has ended.
func (c *Client) Emit(e events.Event) { _ = c.send(event, 0, packEvent(e)) }

const end kind = "end"

type endBody struct {
	Session string `json:"session"`
}

// End implements Supervisor. It fails only if the supervisor has ended, and then the core
// ends, too.
func (c *Client) End(session string) { _ = c.send(end, 0, endBody{Session: session}) }

func (s *Server) end(_ context.Context, _ request, body endBody) error {
	s.mu.Lock()
	ses := s.sessions[body.Session]
	delete(s.sessions, body.Session)
	if ses != nil && ses.cancelLogin != nil {
		ses.cancelLogin(errSessionEnded)
	}
	s.mu.Unlock()
	if ses == nil {
		return errors.New("core ended a session that it does not have")
	}
	s.sup.End(body.Session)
	return nil
}
