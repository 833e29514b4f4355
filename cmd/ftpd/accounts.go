package main

import (
	"ftpd/pkg/config"
	"ftpd/pkg/unixauth"
)

// knownAccounts returns the accounts of the system. They come from the name service, or from
// /etc/passwd and /etc/group if there is no ftpd-auth. The returned function ends the helper.
func knownAccounts() (config.Accounts, func()) {
	helper, err := unixauth.Find()
	if err != nil {
		return unixauth.Files{}, func() {}
	}
	names, err := unixauth.StartNames(helper)
	if err != nil {
		return unknownAccounts{err}, func() {}
	}
	return systemAccounts{names}, func() { names.Close() }
}

type systemAccounts struct{ *unixauth.Names }

func (s systemAccounts) GroupsOf(name string) ([]string, error) {
	_, groups, _, err := s.User(name)
	return groups, err
}

// unknownAccounts returns err from each look-up. A configuration that names no account makes none.
type unknownAccounts struct{ err error }

func (u unknownAccounts) UserExists(string) (bool, error)   { return false, u.err }
func (u unknownAccounts) GroupsOf(string) ([]string, error) { return nil, u.err }

// lookedUpAccounts accepts each account. It is for a confined run, which cannot look up accounts:
// the run that started it has done so.
type lookedUpAccounts struct{}

func (lookedUpAccounts) UserExists(string) (bool, error)   { return true, nil }
func (lookedUpAccounts) GroupsOf(string) ([]string, error) { return nil, nil }
