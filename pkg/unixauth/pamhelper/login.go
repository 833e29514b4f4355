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

const niceness = 5 // so that hashing passwords does not slow down transfers

// refusal is the cause for which a user may not log in.
type refusal string

func (r refusal) Error() string { return string(r) }

// login serves one login. PAM runs on one thread only, because modules change the groups and
// other attributes of the thread, and because reportWaiting looks at the state of this thread.
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
	go reportWaiting(c, unix.Gettid()) // ends when it has reported, or with the process
	err := transact(c, request)
	var refused refusal
	switch {
	case err == nil:
		return nil
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
	// A password must not be written to a core file.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	return unix.Setpriority(unix.PRIO_PROCESS, 0, niceness)
}

// A conversation answers one hidden prompt of PAM with the password. It keeps the messages of
// modules for the log.
type conversation struct {
	password   string
	answered   bool
	messages   []string
	unanswered string // the prompt for which there is no answer
}

const (
	maxMessages = 16  // kept messages
	maxText     = 256 // bytes of each
)

// RespondPAM implements pam.ConversationHandler.
func (c *conversation) RespondPAM(style pam.Style, text string) (string, error) {
	text = strings.TrimSpace(text[:min(len(text), maxText)])
	switch {
	case style == pam.PromptEchoOff && !c.answered:
		c.answered = true
		return c.password, nil
	case style != pam.TextInfo && style != pam.ErrorMsg:
		c.unanswered = text
		return "", errors.New("FTP has one password and no further answer")
	case len(c.messages) < maxMessages && text != "":
		c.messages = append(c.messages, text)
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

// transact logs a user in. Without Keep, it closes the PAM session at once, which is opened then for
// modules that create homes or record logins.
func transact(c *wire.Conn, request wire.Login) error {
	t := &transaction{
		service:      request.Service,
		user:         string(request.User),
		conversation: &conversation{password: string(request.Password)},
	}
	var err error
	if t.Transaction, err = pam.Start(request.Service, t.user, t.conversation); err != nil {
		return fmt.Errorf("PAM service %s: %w", request.Service, err)
	}
	defer t.End()
	suppressDelay(t.Transaction)
	err = errors.Join(
		t.SetItem(pam.Rhost, request.Remote),
		t.SetItem(pam.Ruser, t.user), // the name that the client sent, as in other FTP servers
		t.SetItem(pam.Tty, "ftp"),
	)
	if err != nil {
		return fmt.Errorf("PAM items: %w", err)
	}
	if err := t.Authenticate(pam.DisallowNullAuthtok); err != nil {
		return t.explain(authentication, err)
	}
	if err := t.AcctMgmt(pam.DisallowNullAuthtok); err != nil {
		return t.explain(management, err)
	}
	reply, err := t.account(request.Guest)
	if err != nil {
		return err
	}
	if err := c.Send(reply); err != nil {
		return err
	}
	if err := c.Receive(&wire.Proceed{}); err != nil {
		return err
	}
	session, err := t.openSession(reply.Passwd)
	if err != nil {
		return err
	}
	if request.Keep {
		defer t.closeSession()
		if err := c.Send(wire.Reply{Session: session}); err != nil {
			return err
		}
		return c.Receive(&wire.Proceed{}) // io.EOF at the logout
	}
	t.closeSession()
	return c.Send(wire.Reply{Session: session})
}

// account returns the system's entry for the user that PAM accepted, whose name may differ from
// the one that the client sent. For a user without an entry it returns the entry of guest.
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
		return wire.Reply{}, refusal(name + ": PAM accepts the user, but the system knows " +
			"no such account (auth.guest could stand for it)")
	}
	account, err = lookup(guest)
	if err != nil || account == nil {
		err = errors.Join(fmt.Errorf("the account auth.guest = %q is not there", guest), err)
		return wire.Reply{}, err
	}
	return wire.Reply{Passwd: account, Guest: []byte(name)}, nil
}

// openSession sets the groups of the process, to which pam_group may add more, and opens the PAM
// session. It returns the groups.
func (t *transaction) openSession(account *wire.Passwd) (*wire.Session, error) {
	if err := setGroups(account); err != nil {
		return nil, fmt.Errorf("initgroups: %w", err)
	}
	if err := t.SetCred(pam.EstablishCred); err != nil {
		return nil, t.explain(credentials, err)
	}
	session, err := groupsOfProcess()
	if err == nil {
		if err = t.OpenSession(0); err == nil {
			return session, nil
		}
		err = t.explain(sessionStage, err)
	}
	_ = t.SetCred(pam.DeleteCred)
	return nil, err
}

// closeSession closes the PAM session. A module that fails to clean up must not refuse the login.
func (t *transaction) closeSession() {
	_ = t.CloseSession(0)
	_ = t.SetCred(pam.DeleteCred)
}

// groupsOfProcess returns the groups of this process with their names.
func groupsOfProcess() (*wire.Session, error) {
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
	return session, nil
}
