package config

// Accounts knows the system's accounts.
type Accounts interface {
	// UserExists says whether there is such an account. An error says that it cannot be found out.
	UserExists(name string) (bool, error)
	// GroupsOf are the names of all groups of an account, its primary group included; none for a name that is no account.
	GroupsOf(name string) ([]string, error)
}

func (s *Source) checkAccounts(a Accounts) {}
