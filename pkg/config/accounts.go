package config

import "slices"

// Accounts knows the accounts of the system.
type Accounts interface {
	// UserExists says whether there is such an account. An error says that it cannot be found out.
	UserExists(name string) (bool, error)
	// GroupsOf are the names of all groups of an account, its primary group included; none for a name that is no account.
	GroupsOf(name string) ([]string, error)
}

// An accountUse is a key that names an account of the system, or a table that uses its default.
type accountUse struct {
	id   string
	name string
}

// checkAccounts looks up the accounts that the configuration names or uses. Where it uses none, nothing is asked: a system without the
// accounts "ftp" and "ftp-virtual" runs with the defaults.
func (s *Source) checkAccounts(accounts Accounts) {
	known := map[string]bool{}
	for _, use := range s.accountUses() {
		if accounts == nil {
			s.warn(use.id, "the account %q was not looked up", use.name)
			continue
		}
		if exists, asked := known[use.name]; asked {
			if !exists {
				s.problem(use.id, "the system has no account %q", use.name)
			}
			continue
		}
		exists, err := accounts.UserExists(use.name)
		if err != nil {
			s.problem(use.id, "cannot look up the account %q: %v", use.name, err)
			continue
		}
		if known[use.name] = exists; !exists {
			s.problem(use.id, "the system has no account %q", use.name)
		}
	}
}

// accountUses are the accounts that the file sets, and the defaults that it makes use of.
func (s *Source) accountUses() []accountUse {
	c := s.Config
	uses := []accountUse{}
	use := func(id, name string, used bool) {
		if name != "" && (used || s.given(id)) && !s.told[id] {
			uses = append(uses, accountUse{id, name})
		}
	}
	use("auth.guest", c.Auth.Guest, false)
	use("anonymous.run_as", c.Anonymous.RunAs, c.Anonymous.Enabled)
	use("defaults.run_as", c.Defaults.RunAs, false)
	for i := range c.Groups {
		use(item("group", i)+".run_as", c.Groups[i].RunAs, false)
	}
	for i := range c.Users {
		id, u := item("user", i)+".run_as", &c.Users[i]
		runAs, inherited := u.RunAs, !slices.Contains(u.Set, "run_as")
		if inherited && !s.given("defaults.run_as") {
			runAs = c.Defaults.RunAs
		}
		use(id, runAs, inherited && u.Password != "" && !s.told[item("user", i)+".password"])
	}
	for i, h := range c.Hooks {
		id, early := item("hook", i)+".run_as", beforeLogin(h.On)
		if h.RunAs == "" && early {
			h.RunAs = "nobody"
		}
		use(id, h.RunAs, early)
	}
	return uses
}

// beforeLogin says whether one of the events has no user yet.
func beforeLogin(events []HookEvent) bool {
	return slices.Contains(events, OnConnect) || slices.Contains(events, OnLoginFailed)
}
