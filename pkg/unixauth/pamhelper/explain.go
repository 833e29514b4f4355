//go:build linux && cgo

package pamhelper

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/msteinert/pam/v2"
)

// refusals are the results by which PAM refuses a user. With any other it could not do its work.
var refusals = []pam.Error{
	pam.ErrAuth, pam.ErrPermDenied, pam.ErrCredInsufficient, pam.ErrUserUnknown, pam.ErrMaxtries, pam.ErrNewAuthtokReqd,
	pam.ErrAcctExpired, pam.ErrAuthtokExpired, pam.ErrCredExpired,
}

const authentication = "authentication" // the stage of a login before which nothing is known of the user

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
	if stage != authentication {
		return ""
	}
	switch account, failed := lookup(t.user); {
	case failed != nil:
		return ""
	case account == nil:
		return "the system knows no such account"
	case locked(account.Name):
		return "its password is locked in /etc/shadow"
	}
	return ""
}
