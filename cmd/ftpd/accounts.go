package main

import (
	"ftpd/pkg/config"
	"ftpd/pkg/unixauth"
)

// knownAccounts are the accounts of the system, as the name service knows them or, without ftpd-auth, its files. The function that comes
// with them gives the helper back.
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

// unknownAccounts answers each question with the reason why it cannot: a configuration that names no account needs none.
type unknownAccounts struct{ err error }

func (u unknownAccounts) UserExists(string) (bool, error)   { return false, u.err }
func (u unknownAccounts) GroupsOf(string) ([]string, error) { return nil, u.err }

// lookedUpAccounts are those of a confined run, which can ask nobody: the run that started it has looked them up.
type lookedUpAccounts struct{}

func (lookedUpAccounts) UserExists(string) (bool, error)   { return true, nil }
func (lookedUpAccounts) GroupsOf(string) ([]string, error) { return nil, nil }
