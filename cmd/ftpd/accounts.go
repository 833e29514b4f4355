package main

import (
	"ftpd/pkg/config"
	"ftpd/pkg/unixauth"
)

// accounts are the accounts of the system, as the name service knows them, and what gives the helper that asks it back.
func accounts() (config.Accounts, func(), error) {
	helper, err := unixauth.Find()
	if err != nil {
		return nil, nil, err
	}
	names, err := unixauth.StartNames(helper)
	if err != nil {
		return nil, nil, err
	}
	return systemAccounts{names}, func() { names.Close() }, nil
}

type systemAccounts struct{ *unixauth.Names }

func (s systemAccounts) GroupsOf(name string) ([]string, error) {
	_, groups, _, err := s.User(name)
	return groups, err
}
