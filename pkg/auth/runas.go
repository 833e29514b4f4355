package auth

import (
	"errors"
	"fmt"

	"ftpd/pkg/impersonate"
)

// RunAs finds the identity of a system account, at each login, so that its groups are those of the moment. It is nil in a server that
// impersonates nobody, whose users have the server's own rights.
type RunAs func(account string) (*impersonate.Credentials, error)

var errNoRunAs = errors.New(`run_as is "", which is for a server that impersonates nobody: name an account`)

// identity is whose rights a user of the configuration has. The account was named by the administrator, so it may be one of the
// system's own, such as www-data; but never root.
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
