package core

import (
	"context"

	"ftpd/pkg/config"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/ftpwire"
)

var (
	errHostName  = reply(501, "That is not the name of a host.")
	errHostLate  = reply(503, "HOST comes before USER.")
	errNoHost    = reply(504, "There is no such host here.")
	errOtherHost = reply(504, "TLS has begun for another host.")
)

// hostsOf returns the virtual hosts by ftptls.HostKey.
func hostsOf(c *config.Config) map[string]*config.Host {
	hosts := make(map[string]*config.Host, len(c.Hosts))
	for i := range c.Hosts {
		hosts[ftptls.HostKey(c.Hosts[i].Name)] = &c.Hosts[i]
	}
	return hosts
}

// hostName chooses a virtual host (RFC 7151). A client that has sent a server name in TLS has
// made its choice, and can only repeat the same name. Some clients send the address that they
// connect to (RFC 7151 §3.1): it selects no virtual host.
func (s *Session) hostName(_ context.Context, arg string) (Reply, error) {
	name, addr, ok := ftpwire.ParseHost(arg)
	host := s.srv.hosts[ftptls.HostKey(name)]
	switch {
	case !ok:
		return Reply{}, errHostName
	case s.login != nil || s.attempt.user != "":
		return Reply{}, errHostLate
	case s.ctl.TLS != nil && !s.ctl.TLS.MayServe(name):
		return Reply{}, errOtherHost
	case addr.IsValid() && addr == s.conn.Local().Addr().WithZone("").Unmap():
		host = nil
	case host == nil:
		return Reply{}, errNoHost
	}
	s.host = host
	return s.banner(), nil
}

// banner returns the 220 of the chosen host, or else that of the server.
func (s *Session) banner() Reply {
	if s.host != nil && s.host.Banner != "" {
		return ftpwire.Lines(220, s.host.Banner)
	}
	return ftpwire.Lines(220, s.srv.config.Server.Banner)
}
