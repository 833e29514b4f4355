package unixauth

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"ftpd/pkg/impersonate"
)

// Files finds accounts in /etc/passwd and /etc/group only. It replaces Names where ftpd-auth
// is not installed.
type Files struct{}

// UserExists reports whether there is an account of that name. An account that is not in the
// files may be in a directory service, so its absence is an error.
func (Files) UserExists(name string) (bool, error) {
	_, err := Files{}.RunAs(name)
	return err == nil, err
}

// GroupsOf returns the names of all groups of an account, or none if there is no such account.
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
		// A group without a name cannot be in a configuration.
		if g, err := user.LookupGroupId(id); err == nil {
			names = append(names, g.Name)
		}
	}
	return names, nil
}

// RunAs returns the identity of an account with all its groups. It is the lookup that
// auth.RunAs needs.
func (Files) RunAs(name string) (*impersonate.Credentials, error) {
	u, err := user.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) {
		return nil, fmt.Errorf("/etc/passwd has no account %q, "+
			"and ftpd-auth, which asks the name service, is not installed", name)
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
