package unixauth

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"ftpd/pkg/impersonate"
)

// Files knows the accounts of /etc/passwd and /etc/group alone. It stands in for Names where ftpd-auth is not installed.
type Files struct{}

// UserExists tells whether there is an account of that name. An account that is not in the files may be a directory service's, so its
// absence is an error.
func (Files) UserExists(name string) (bool, error) {
	_, err := Files{}.RunAs(name)
	return err == nil, err
}

// GroupsOf are the names of all groups of an account; none for a name that is no account.
func (Files) GroupsOf(name string) ([]string, error) {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, id := range ids {
		if g, err := user.LookupGroupId(id); err == nil { // a group without a name is in no configuration
			names = append(names, g.Name)
		}
	}
	return names, nil
}

// RunAs is the identity of an account, with all its groups: what auth.RunAs asks for.
func (Files) RunAs(name string) (*impersonate.Credentials, error) {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return nil, fmt.Errorf("/etc/passwd has no account %q, and ftpd-auth, which asks the name service, is not installed", name)
	}
	if err != nil {
		return nil, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	var ids []uint32
	for _, text := range append([]string{u.Uid, u.Gid}, groups...) {
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("the account %q: %w", name, err)
		}
		ids = append(ids, uint32(id))
	}
	return &impersonate.Credentials{UID: ids[0], GID: ids[1], Groups: ids[2:]}, nil
}
