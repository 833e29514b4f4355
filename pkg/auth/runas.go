package auth

import (
	"errors"
	"fmt"

	"ftpd/pkg/impersonate"
)

// RunAs returns the identity of a system account. It is called at each login, so that the
// groups are the current ones. It is nil in a server without impersonation, in which all users
// have the rights of the server.
type RunAs func(account string) (*impersonate.Credentials, error)

var errNoRunAs = errors.New(
	`run_as is "", which is for a server that impersonates nobody: name an account`)

// identity returns the identity that a user of the configuration gets. The administrator chose
// the account, so it may be one of the system, such as www-data, but never root.
func (r RunAs) identity(account string) (*impersonate.Credentials, error) {
	switch {
	case r == nil && account == "":
		return nil, nil
	case r == nil:
		return nil, fmt.Errorf("run_as = %q: this server impersonates nobody", account)
	case account == "":
		return nil, errNoRunAs
	}
	as, err := r(account)
	if err != nil {
		return nil, fmt.Errorf("run_as = %q: %w", account, err)
	}
	if as.UID == 0 {
		return nil, fmt.Errorf("run_as = %q: no file is accessed as root", account)
	}
	return as, nil
}
