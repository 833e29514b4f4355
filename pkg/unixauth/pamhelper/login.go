//go:build linux && cgo

package pamhelper

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/msteinert/pam/v2"
	"golang.org/x/sys/unix"

	"ftpd/pkg/unixauth/internal/wire"
)

const niceness = 5 // hashing passwords must not hold up transfers

// refusal is the cause for which a user may not log in.
type refusal string

func (r refusal) Error() string { return string(r) }

// login serves one login. All of PAM runs on one thread: modules change its groups and more, and its state is what report watches.
func login(c *wire.Conn) error {
	runtime.LockOSThread()
	if err := prepare(); err != nil {
		return errors.Join(err, c.Send(wire.Hello{Version: wire.Version, Failed: err.Error()}))
	}
	if err := c.Send(wire.Hello{Version: wire.Version}); err != nil {
		return err
	}
	var request wire.Login
	if err := c.Receive(&request); err != nil {
		return err
	}
	go report(c, unix.Gettid()) // ends when it has reported, or with the process
	session, err := transact(c, request)
	var refused refusal
	switch {
	case err == nil:
		return c.Send(wire.Reply{Session: session})
	case errors.As(err, &refused):
		return c.Send(wire.Reply{Refused: refused.Error()})
	case errors.Is(err, io.EOF): // ftpd refused the account
		return nil
	}
	return c.Send(wire.Reply{Failed: err.Error()})
}

func prepare() error {
	if unix.Geteuid() != 0 {
		return errors.New("PAM can check other users' passwords as root only")
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil { // a password must not be left in a core file
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
}

// A conversation answers PAM's questions: one hidden prompt, with the password. What a module says is kept for the log.
type conversation struct {
	password string
	answered bool
	said     []string
	prompt   string // the question that could not be answered
}

const (
	maxSaid = 16  // messages
	maxText = 256 // bytes of each
)

// RespondPAM implements pam.ConversationHandler.
func (c *conversation) RespondPAM(style pam.Style, text string) (string, error) {
	text = strings.TrimSpace(text[:min(len(text), maxText)])
	switch {
	case style == pam.PromptEchoOff && !c.answered:
		c.answered = true
		return c.password, nil
	case style != pam.TextInfo && style != pam.ErrorMsg:
		c.prompt = text
		return "", errors.New("FTP has one password and no further answer")
	case len(c.said) < maxSaid && text != "":
		c.said = append(c.said, text)
	}
	return "", nil
}

// A transaction is one login with PAM.
type transaction struct {
	*pam.Transaction
	conversation *conversation
	service      string
	user         string
}

// transact logs a user in and out again: the session is opened and closed, for modules that make homes or note logins.
func transact(c *wire.Conn, request wire.Login) (*wire.Session, error) {
	t := &transaction{
		service:      request.Service,
		user:         string(request.User),
		conversation: &conversation{password: string(request.Password)},
	}
	var err error
	if t.Transaction, err = pam.Start(request.Service, t.user, t.conversation); err != nil {
		return nil, fmt.Errorf("PAM service %s: %w", request.Service, err)
	}
	defer t.End()
	takeDelayOver(t.Transaction)
	err = errors.Join(
		t.SetItem(pam.Rhost, request.Remote),
		t.SetItem(pam.Ruser, t.user), // the name that was typed, as other FTP servers have it
		t.SetItem(pam.Tty, "ftp"),
	)
	if err != nil {
		return nil, fmt.Errorf("PAM items: %w", err)
	}
	if err := t.Authenticate(pam.DisallowNullAuthtok); err != nil {
		return nil, t.explain(authentication, err)
	}
	if err := t.AcctMgmt(pam.DisallowNullAuthtok); err != nil {
		return nil, t.explain(management, err)
	}
	reply, err := t.account(request.Guest)
	if err != nil {
		return nil, err
	}
	if err := c.Send(reply); err != nil {
		return nil, err
	}
	if err := c.Receive(&wire.Proceed{}); err != nil {
		return nil, err
	}
	return t.session(reply.Passwd)
}

// account is the system's entry for the user whom PAM let in, who need not be the one that was typed, or that of guest for a user
// whom the system does not know.
func (t *transaction) account(guest string) (wire.Reply, error) {
	name, err := t.GetItem(pam.User)
	if err != nil {
		return wire.Reply{}, fmt.Errorf("PAM_USER: %w", err)
	}
	account, err := lookup(name)
	if err != nil {
		return wire.Reply{}, fmt.Errorf("%s: %w", name, err)
	}
	switch {
	case account != nil:
		return wire.Reply{Passwd: account}, nil
	case guest == "":
		return wire.Reply{}, refusal(fmt.Sprintf("%s: PAM accepts the user, but the system knows no such account (auth.guest could stand for it)", name))
	}
	account, err = lookup(guest)
	if err != nil || account == nil {
		return wire.Reply{}, errors.Join(fmt.Errorf("the account auth.guest = %q is not there", guest), err)
	}
	return wire.Reply{Passwd: account, Guest: []byte(name)}, nil
}

// session sets the groups, which pam_group may add to, and opens and closes the session.
func (t *transaction) session(account *wire.Passwd) (*wire.Session, error) {
	if err := setGroups(account); err != nil {
		return nil, fmt.Errorf("initgroups: %w", err)
	}
	if err := t.SetCred(pam.EstablishCred); err != nil {
		return nil, t.explain(credentials, err)
	}
	defer t.SetCred(pam.DeleteCred)
	ids, err := unix.Getgroups()
	if err != nil {
		return nil, fmt.Errorf("getgroups: %w", err)
	}
	var gids []uint32
	for _, id := range ids {
		gids = append(gids, uint32(id))
	}
	slices.Sort(gids)
	session, err := named(slices.Compact(gids))
	if err != nil {
		return nil, fmt.Errorf("names of groups: %w", err)
	}
	if err := t.OpenSession(0); err != nil {
		return nil, t.explain(sessionStage, err)
	}
	_ = t.CloseSession(0) // the user is in; a module that cannot tidy up does not change that
	return session, nil
}
