package core

import (
	"slices"

	"ftpd/pkg/config"
)

// required is what these settings require TLS for: RequireTLSOff, RequireTLSLogin or RequireTLSAll.
func (srv *Server) required(s config.Settings) config.RequireTLS {
	switch {
	case s.RequireTLS != config.RequireTLSAuto:
		return s.RequireTLS
	case srv.security != nil:
		return config.RequireTLSLogin
	}
	return config.RequireTLSOff
}

// needsTLS says whether it is known by the name alone that the user may not log in without TLS: nobody is asked about the password then. A
// system group may relax what is demanded, and who is in it is known only afterwards. (The name is the one that the client has typed: where
// PAM makes another one of it, TLS is needed that the other one may do without.)
func (srv *Server) needsTLS(user string) bool {
	e, err := srv.config.For(user, nil)
	if err != nil || srv.required(e.Settings) == config.RequireTLSOff {
		return false
	}
	own := func(u config.User) bool { return u.Name == user && slices.Contains(u.Set, "require_tls") }
	return srv.config.KnowsAlone(user) || slices.ContainsFunc(srv.config.Users, own) || !slices.ContainsFunc(srv.config.Groups, srv.relaxes)
}

// onlyTLS says that no user whatever may log in without TLS.
func (srv *Server) onlyTLS() bool {
	if srv.required(srv.config.Defaults) == config.RequireTLSOff {
		return false
	}
	return !slices.ContainsFunc(srv.config.Groups, srv.relaxes) &&
		!slices.ContainsFunc(srv.config.Users, func(u config.User) bool { return srv.relaxes(config.Group{Override: u.Override}) })
}

// relaxes says whether members of a group may log in without TLS.
func (srv *Server) relaxes(g config.Group) bool {
	return slices.Contains(g.Set, "require_tls") && srv.required(g.Settings) == config.RequireTLSOff
}
