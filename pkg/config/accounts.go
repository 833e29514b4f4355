package config

import "slices"

// Accounts looks up the accounts of the system.
type Accounts interface {
	// UserExists reports whether there is an account of this name. An error means that the
	// lookup failed.
	UserExists(name string) (bool, error)
	// GroupsOf returns the names of all groups of an account, including its primary group. It
	// returns none if there is no such account.
	GroupsOf(name string) ([]string, error)
}

// An accountUse is a key that names an account of the system, or a key with its default in use.
type accountUse struct {
	id   string
	name string
}

// checkAccounts looks up the accounts that the configuration names or uses. An unused default
// is not looked up, so that the defaults are valid on a system without the accounts "ftp" and
// "ftp-virtual".
func (s *Source) checkAccounts(accounts Accounts) {
	known := map[string]bool{}
	for _, use := range s.accountUses() {
		if accounts == nil {
			s.warn(use.id, "the account %q was not looked up", use.name)
			continue
		}
		if exists, cached := known[use.name]; cached {
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

// accountUses returns the accounts that the files name, and the defaults that are in use.
func (s *Source) accountUses() []accountUse {
	c := s.Config
	uses := []accountUse{}
	use := func(id, name string, used bool) {
		if name != "" && (used || s.given(id)) && !s.reported[id] {
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
		use(id, runAs, inherited && u.Password != "" && !s.reported[item("user", i)+".password"])
	}
	for i, h := range c.Hooks {
		id, noUser := item("hook", i)+".run_as", beforeLogin(h.On)
		if h.RunAs == "" && noUser {
			h.RunAs = "nobody"
		}
		use(id, h.RunAs, noUser)
	}
	return uses
}

// beforeLogin reports whether one of the events happens before a user has logged in.
func beforeLogin(events []HookEvent) bool {
	return slices.Contains(events, OnConnect) || slices.Contains(events, OnLoginFailed)
}
