package core

import (
	"slices"

	"ftpd/pkg/config"
)

// required returns what the settings require TLS for: RequireTLSOff, RequireTLSLogin or
// RequireTLSAll.
func (srv *Server) required(s config.Settings) config.RequireTLS {
	switch {
	case s.RequireTLS != config.RequireTLSAuto:
		return s.RequireTLS
	case srv.security != nil:
		return config.RequireTLSLogin
	}
	return config.RequireTLSOff
}

// needsTLS reports whether the name alone shows that the user may not log in without TLS. The
// password is not checked then. A system group may relax the requirement, and its members are known
// only after the check. The name is the one that the client has sent. Where PAM replaces it, TLS may
// be required although the user's own settings do not require it.
func (srv *Server) needsTLS(user string) bool {
	e, err := srv.config.For(user, nil)
	if err != nil || srv.required(e.Settings) == config.RequireTLSOff {
		return false
	}
	own := func(u config.User) bool {
		return u.Name == user && slices.Contains(u.Set, "require_tls")
	}
	return srv.config.KnowsAlone(user) || slices.ContainsFunc(srv.config.Users, own) ||
		!slices.ContainsFunc(srv.config.Groups, srv.relaxes)
}

// onlyTLS reports whether no user at all may log in without TLS.
func (srv *Server) onlyTLS() bool {
	if srv.required(srv.config.Defaults) == config.RequireTLSOff {
		return false
	}
	relaxed := func(u config.User) bool { return srv.relaxes(config.Group{Override: u.Override}) }
	return !slices.ContainsFunc(srv.config.Groups, srv.relaxes) &&
		!slices.ContainsFunc(srv.config.Users, relaxed)
}

// relaxes reports whether members of a group may log in without TLS.
func (srv *Server) relaxes(g config.Group) bool {
	return slices.Contains(g.Set, "require_tls") && srv.required(g.Settings) == config.RequireTLSOff
}
