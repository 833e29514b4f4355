//go:build linux && cgo

package pamhelper

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/msteinert/pam/v2"
)

// refusals are the results by which PAM refuses a user. With any other it could not do its work.
var refusals = []pam.Error{
	pam.ErrAuth, pam.ErrPermDenied, pam.ErrCredInsufficient, pam.ErrUserUnknown, pam.ErrMaxtries, pam.ErrNewAuthtokReqd,
	pam.ErrAcctExpired, pam.ErrAuthtokExpired, pam.ErrCredExpired,
}

// The stages of a login. Before the first nothing is known of the user.
const (
	authentication = "authentication"
	management     = "account"
	credentials    = "credentials"
	sessionStage   = "session"
)

// explain makes a refusal or a failure of PAM's result, in words that an administrator can act on: what PAM tells is often less than
// what the system knows.
func (t *transaction) explain(stage string, err error) error {
	cause := fmt.Sprintf("%s: PAM %s: %v", t.user, stage, err)
	if hint := t.hint(stage, err); hint != "" {
		cause += "; " + hint
	}
	if len(t.conversation.said) > 0 {
		cause += fmt.Sprintf(" (%s)", strings.Join(t.conversation.said, "; "))
	}
	var result pam.Error
	if t.conversation.prompt != "" || errors.As(err, &result) && slices.Contains(refusals, result) {
		return refusal(cause)
	}
	return errors.New(cause)
}

func (t *transaction) hint(stage string, err error) string {
	if p := t.conversation.prompt; p != "" {
		return fmt.Sprintf("a module asks %q, and FTP can answer one hidden prompt only", p)
	}
	if errors.Is(err, pam.ErrNewAuthtokReqd) {
		return "the password has expired and must be changed, which FTP cannot do"
	}
	if errors.Is(err, pam.ErrAcctExpired) {
		return "the account has expired"
	}
	switch {
	case stage == sessionStage:
		return fmt.Sprintf("a module in the session lines of PAM service %s failed", t.service)
	case stage == credentials && errors.Is(err, pam.ErrPermDenied):
		return fmt.Sprintf("no module in the auth lines of PAM service %s sets credentials: "+
			`add "auth optional pam_permit.so" behind them`, t.service)
	case stage == credentials:
		return ""
	}
	return objection(t.user, stage)
}

// objection returns what the system has against an account, which the result of a module leaves out; ""
// is nothing.
func objection(user, stage string) string {
	account, err := lookup(user)
	switch {
	case err != nil:
		return err.Error()
	case account == nil && stage == authentication:
		return "the system knows no such account"
	case account == nil:
		return ""
	case listed(user):
		return "it stands in " + usersFile
	}
	if why := withoutPassword(account.Name); why != "" && stage == authentication {
		return why
	}
	shell := cmp.Or(account.Shell, "/bin/sh") // passwd(5)
	if !loginShell(shell) {
		return fmt.Sprintf("its shell %s is not in /etc/shells, "+
			"which pam_shells and auth.require_shell demand", shell)
	}
	return ""
}

// usersFile has the names that pam_listfile refuses for FTP, one a line.
const usersFile = "/etc/ftpusers"

func listed(user string) bool {
	text, err := os.ReadFile(usersFile)
	return err == nil && slices.Contains(strings.Split(string(text), "\n"), user)
}
