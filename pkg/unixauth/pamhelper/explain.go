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

// refusals are the results by which PAM refuses a user, also without a look at the password. With
// any other error, PAM could not check the user.
var refusals = []pam.Error{
	pam.ErrAuth, pam.ErrPermDenied, pam.ErrCredInsufficient, pam.ErrUserUnknown,
	pam.ErrMaxtries, pam.ErrNewAuthtokReqd,
	pam.ErrAcctExpired, pam.ErrAuthtokExpired, pam.ErrCredExpired,
}

// The stages of a login.
const (
	authentication = "authentication"
	management     = "account"
	credentials    = "credentials"
	sessionStage   = "session"
)

// explain returns PAM's error as a refusal or a failure, with a cause that an administrator can
// act on. It adds what the system's files contain about the account, because PAM's text often
// lacks that. Once a module has taken the password, each error is a refusal, because modules such
// as pam_exec answer a wrong password with an error, and guesses have to count.
func (t *transaction) explain(stage string, err error) error {
	cause := fmt.Sprintf("%s: PAM %s: %v", t.user, stage, err)
	if hint := t.hint(stage, err); hint != "" {
		cause += "; " + hint
	}
	if len(t.conversation.messages) > 0 {
		cause += fmt.Sprintf(" (%s)", strings.Join(t.conversation.messages, "; "))
	}
	var result pam.Error
	if t.conversation.answered || t.conversation.unanswered != "" ||
		errors.As(err, &result) && slices.Contains(refusals, result) {
		return refusal(cause)
	}
	return errors.New(cause)
}

func (t *transaction) hint(stage string, err error) string {
	if p := t.conversation.unanswered; p != "" {
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
	return accountProblem(t.user, stage)
}

// accountProblem returns the reason for a refusal that can be found in the system's files, or
// "". The results of modules do not contain it, nor which module refused.
func accountProblem(user, stage string) string {
	account, err := lookup(user)
	switch {
	case err != nil:
		return err.Error()
	case account == nil && stage == authentication:
		return "the system knows no such account"
	case account == nil:
		return ""
	case listed(user):
		return "perhaps refused by pam_listfile: it stands in " + usersFile
	}
	if why := withoutPassword(account.Name); why != "" && stage == authentication {
		return why
	}
	shell := cmp.Or(account.Shell, "/bin/sh") // passwd(5)
	if !loginShell(shell) {
		return fmt.Sprintf("perhaps refused by pam_shells: its shell %s is not in /etc/shells", shell)
	}
	return ""
}

// usersFile contains the names that pam_listfile refuses for FTP, one in each line.
const usersFile = "/etc/ftpusers"

// listed reports whether usersFile contains the user.
func listed(user string) bool {
	text, err := os.ReadFile(usersFile)
	return err == nil && slices.Contains(strings.Split(string(text), "\n"), user)
}
