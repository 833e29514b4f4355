package login

import (
	"slices"

	"ftpd/pkg/config"
)

// NeedsPrivateData reports whether the data connections of the login must use TLS.
func (l *Login) NeedsPrivateData() bool { return l.tls == config.RequireTLSAll }

// required returns what the settings require TLS for: RequireTLSOff, RequireTLSLogin or
// RequireTLSAll.
func (ls *Logins) required(s config.Settings) config.RequireTLS {
	switch {
	case s.RequireTLS != config.RequireTLSAuto:
		return s.RequireTLS
	case ls.tls:
		return config.RequireTLSLogin
	}
	return config.RequireTLSOff
}

// NeedsTLS reports whether the name alone shows that the user may not log in without TLS. The
// password is not checked then. A system group may relax the requirement, and its members are known
// only after the check. The name is the one that the client has sent. Where PAM replaces it, TLS may
// be required although the user's own settings do not require it.
func (ls *Logins) NeedsTLS(user string) bool {
	e, err := ls.config.For(user, nil)
	if err != nil || ls.required(e.Settings) == config.RequireTLSOff {
		return false
	}
	own := func(u config.User) bool {
		return u.Name == user && slices.Contains(u.Set, "require_tls")
	}
	return ls.config.KnowsAlone(user) || slices.ContainsFunc(ls.config.Users, own) ||
		!slices.ContainsFunc(ls.config.Groups, ls.relaxes)
}

// AllNeedTLS reports whether no user at all may log in without TLS.
func (ls *Logins) AllNeedTLS() bool { return ls.allTLS }

func (ls *Logins) needAllTLS() bool {
	if ls.required(ls.config.Defaults) == config.RequireTLSOff {
		return false
	}
	relaxed := func(u config.User) bool { return ls.relaxes(config.Group{Override: u.Override}) }
	return !slices.ContainsFunc(ls.config.Groups, ls.relaxes) &&
		!slices.ContainsFunc(ls.config.Users, relaxed)
}

// relaxes reports whether members of a group may log in without TLS.
func (ls *Logins) relaxes(g config.Group) bool {
	return slices.Contains(g.Set, "require_tls") && ls.required(g.Settings) == config.RequireTLSOff
}
