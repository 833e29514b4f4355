package config

import (
	"net/netip"
	"path"
	"slices"
	"strings"
)

// maxSocketPath bounds the path of a socket, in bytes. The kernel accepts 107, of which the
// temporary name of a new socket needs some.
const maxSocketPath = 90

func (s *Source) checkServer() {
	c := &s.Config.Server
	seen := map[string]string{}
	for i, a := range c.Listen {
		s.listenOnce(seen, item("server.listen", i), a)
	}
	for i, a := range c.ListenTLS {
		s.listenOnce(seen, item("server.listen_tls", i), a)
	}
	s.reply("server.banner", c.Banner)
	s.warnOfProxies(c.ProxyProtocolFrom)
	for i := range c.Roots {
		id := item("server.roots", i)
		if c.Roots[i] == "" {
			s.problem(id, "a directory is empty")
		} else if s.hostPath(id, &c.Roots[i]) && NeverServed(c.Roots[i]) {
			s.problem(id, "%s is never served", c.Roots[i])
		}
	}
	if s.hostPath("admin.socket", &s.Config.Admin.Socket) &&
		len(s.Config.Admin.Socket) > maxSocketPath {
		s.problem("admin.socket", "the path has more than %d bytes", maxSocketPath)
	} else if s.Config.Admin.Socket == "" && !s.failed["admin.socket"] {
		s.problem("admin.socket", "the path is empty")
	}
	if m := s.Config.Admin.Metrics; m != "" {
		if err := new(Address).UnmarshalText([]byte(m)); err != nil {
			s.problem("admin.metrics", "%v", err)
		}
	}
	hasFile := s.hostPath("log.file", &s.Config.Log.File)
	hasTransferLog := s.hostPath("log.transfer_log", &s.Config.Log.TransferLog)
	if hasFile && hasTransferLog && s.Config.Log.File == s.Config.Log.TransferLog {
		s.problem("log.transfer_log", "the file is that of log.file; the two cannot share one")
	}
}

// warnOfProxies warns of networks in server.proxy_protocol_from from which not only load balancers
// may connect.
func (s *Source) warnOfProxies(networks Networks) {
	const consequence = "a PROXY header from there can name any client, which evades bans, " +
		"allow_from and limits: list the addresses of the load balancers alone"
	for i, n := range networks {
		switch id := item("server.proxy_protocol_from", i); {
		case !n.IsValid():
		case n.Bits() == 0:
			s.warn(id, "%s is every address; %s", n, consequence)
		case slices.ContainsFunc(loopback, n.Overlaps):
			s.warn(id, "every account of this host can connect from %s; %s", n, consequence)
		}
	}
}

// loopback are the networks of the loopback interface.
var loopback = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
}

// listenOnce reports an address that is listed twice.
func (s *Source) listenOnce(seen map[string]string, id string, a Address) {
	if a.IsValid() && a.Port() != 0 {
		s.unique(seen, id, a.String(), a.String())
	}
}

// served reports whether a directory lies in one of the roots. It compares names, and does not
// follow symlinks.
func served(roots []string, dir string) bool {
	for _, r := range roots {
		if (r != "/" || ByRoot(dir)) && Within(dir, r) {
			return true
		}
	}
	return false
}

func (s *Source) checkAuth() {
	c := &s.Config.Auth
	if p := c.PAMService; !s.failed["auth.pam_service"] &&
		(checkName(p) != nil || p != path.Base(p)) {
		s.problem("auth.pam_service", "%q is not the name of a file in /etc/pam.d", p)
	}
	if s.given("auth.guest") && c.Guest != "" {
		s.account("auth.guest", c.Guest)
	}
	for key, names := range map[string][]string{"auth.allow": c.Allow, "auth.deny": c.Deny} {
		for i, n := range names {
			if id := item(key, i); s.given(id) && !s.failed[id] {
				if err := checkName(strings.TrimPrefix(n, "@")); err != nil {
					s.problem(id, "%v", err)
				}
			}
		}
	}
	for i, n := range c.Allow {
		if id := item("auth.allow", i); slices.Contains(c.Deny, n) && !s.failed[id] {
			s.warn(id, "%q is in deny, too, which wins", n)
		}
	}
}

// account checks the name of an account as which files are accessed.
func (s *Source) account(id, name string) {
	if err := checkName(name); err != nil {
		s.problem(id, "%v", err)
	} else if name == "root" {
		s.problem(id, "the service never takes root's identity")
	}
}

func (s *Source) checkData() {
	c := s.Config
	if r := c.Data.PassivePorts; r.First > 0 && r.First < 1024 {
		s.warn("data.passive_ports", "the service is not root and cannot take ports below 1024")
	} else if n := r.Len(); n > 0 && n < fewPorts && c.TLS.Certificate == "" {
		s.warn("data.passive_ports", "%d ports are few: without TLS, somebody at a client's "+
			"own address can guess the next one and take its file; "+
			"a range of %d or more makes that rare", n, 10*fewPorts)
	}
	for i, n := range c.Data.ForeignNetworks {
		if n.IsValid() && n.Bits() == 0 {
			s.warn(item("data.foreign_networks", i), "%s is every address: clients can make this "+
				"host connect to any other (FTP bounce), and any host can take a data connection; "+
				"list the hosts of the transfers alone", n)
		}
	}
}

// fewPorts is a number of ports that is small enough for an attacker to guess one: with 1,000
// ports, a quarter of the files or more can be stolen.
const fewPorts = 1000

func (s *Source) checkFiles() {
	for i, pattern := range s.Config.Files.Hide {
		id := item("files.hide", i)
		_, err := path.Match(pattern, "x")
		switch {
		case s.failed[id]:
		case pattern == "" || err != nil:
			s.problem(id, "%q is not a pattern for names", pattern)
		case strings.Contains(pattern, "/"):
			s.problem(id, "%q never matches: a name has no slash", pattern)
		}
	}
}
