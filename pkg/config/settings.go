package config

import (
	"fmt"
	"slices"
	"strings"
)

// An Effective holds the values of all keys for one user.
type Effective struct {
	Settings
	Rules    []Rule  // for subtrees, in no particular order
	Mounts   []Mount // besides the home; with their permissions, and {user} replaced
	Disabled bool
	Expires  Date
}

// Rights returns the permissions for all paths of the tree: those of the rules, those of mounts
// that have their own, and else those of the user.
func (e *Effective) Rights() Rights {
	rules := slices.Clone(e.Rules)
	for _, m := range e.Mounts {
		if !m.Inherit {
			rules = append(rules, Rule{Path: m.Path, Permissions: m.Permissions})
		}
	}
	return NewRights(e.Permissions, rules)
}

// For returns the effective settings of a user in the groups. They are those of
// [defaults], overridden by each [[group]] in the order of the file, and then by [[user]]. A rule
// or mount of a later table replaces one of an earlier table for the same path. It is an error if
// the name cannot be part of a path; such a user may not log in.
func (c *Config) For(user string, groups []string) (Effective, error) {
	if err := checkName(user); err != nil {
		return Effective{}, err
	}
	e := Effective{Settings: c.Defaults}
	for _, l := range c.layers(user, groups) {
		e.override(l.Override)
	}
	e.Home = strings.ReplaceAll(e.Home, userWord, user)
	for i, m := range e.Mounts {
		e.Mounts[i].Directory = strings.ReplaceAll(m.Directory, userWord, user)
	}
	rights := e.Rights()
	for i, m := range e.Mounts {
		if m.Inherit {
			e.Mounts[i].Permissions = rights.At(m.Path)
		}
	}
	return e, nil
}

// A layer is one set of overrides for a user.
type layer struct {
	id string // "anonymous", "group[0]", "user[0]"
	*Override
}

// layers returns the overrides that apply to a user. A later one has precedence over an earlier
// one.
func (c *Config) layers(user string, groups []string) []layer {
	var ls []layer
	if a := c.Anonymous; user == AnonymousUser && a.Enabled {
		ls = append(ls, layer{"anonymous", &Override{
			Settings: Settings{Home: a.Directory, RunAs: a.RunAs, Permissions: a.Permissions},
			Set:      []string{"home", "permissions", "run_as"},
		}})
	}
	for i := range c.Groups {
		if slices.Contains(groups, c.Groups[i].Name) {
			ls = append(ls, layer{item("group", i), &c.Groups[i].Override})
		}
	}
	for i := range c.Users {
		if c.Users[i].Name == user {
			ls = append(ls, layer{item("user", i), &c.Users[i].Override})
		}
	}
	return ls
}

// KnowsAlone reports whether a name belongs to the configuration only, so that it is not looked
// up in the system. It is the name of a [[user]] with a password, or that of anonymous users if
// they are enabled. Such a user is in no group.
func (c *Config) KnowsAlone(name string) bool {
	return c.Anonymous.Enabled && name == AnonymousUser ||
		slices.ContainsFunc(c.Users,
			func(u User) bool { return u.Name == name && u.Password != "" })
}

// RunAsInForce returns the accounts in run_as of the users of the configuration, including "" if
// the files of one are accessed as the server itself. It returns none if the configuration has
// no users.
func (c *Config) RunAsInForce() []string {
	var accounts []string
	for _, u := range c.Users {
		if u.Password == "" {
			continue
		}
		if e, err := c.For(u.Name, nil); err == nil {
			accounts = append(accounts, e.RunAs)
		}
	}
	if c.Anonymous.Enabled {
		accounts = append(accounts, c.Anonymous.RunAs)
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

// AnonymousUser is the name of the [[user]] with the settings of anonymous sessions.
const AnonymousUser = "anonymous"

// userWord stands for the user's name in home and directory.
const userWord = "{user}"

// override replaces the settings that o sets.
func (e *Effective) override(o *Override) {
	copyKeys(&e.Settings, &o.Settings, o.Set)
	if slices.Contains(o.Set, "disabled") {
		e.Disabled = o.Disabled
	}
	if slices.Contains(o.Set, "expires") {
		e.Expires = o.Expires
	}
	for _, r := range o.Rules {
		samePath := func(old Rule) bool { return old.Path == r.Path }
		e.Rules = append(slices.DeleteFunc(e.Rules, samePath), r)
	}
	for _, m := range o.Mounts {
		samePath := func(old Mount) bool { return old.Path == m.Path }
		e.Mounts = append(slices.DeleteFunc(e.Mounts, samePath), m)
	}
}

// checkName refuses a name that would not be a single component of a path.
func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is empty")
	case name == "." || name == "..":
		return fmt.Errorf("the name %q means a directory", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r < ' ' || r == 0x7f }):
		return fmt.Errorf("the name %q has a slash or control characters", name)
	}
	return nil
}

// WithoutSecrets returns a copy without password hashes, for processes that do not need them.
func (c *Config) WithoutSecrets() *Config {
	out := *c
	out.Users = slices.Clone(c.Users)
	for i := range out.Users {
		out.Users[i].Password = ""
	}
	return &out
}
