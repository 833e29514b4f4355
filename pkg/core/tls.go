package core

import (
	"cmp"
	"crypto/tls"
	"slices"

	"ftpd/pkg/config"
)

// A security is what TLS (RFC 4217) needs of the server. The tickets of all connections are sealed and opened by base, whose keys change
// by themselves: a copy would keep those of the moment.
type security struct {
	base         *tls.Config
	certificates *Certificates
}

// The protocol of a control connection, and what clients name on data connections (ALPN). A client that names none of them is served too.
var (
	controlProtocols = []string{"ftp"}
	dataProtocols    = []string{"ftp-data", "ftp"}
)

// newSecurity is nil where there is no certificate.
func newSecurity(o Options) *security {
	if o.Certificates == nil {
		return nil
	}
	sec := &security{certificates: o.Certificates}
	base := &tls.Config{
		NextProtos: controlProtocols,
		MinVersion: tls.VersionTLS12,
		ClientAuth: clientAuth[o.Config.TLS.ClientAuth],
		ClientCAs:  o.Certificates.clients,
	}
	sec.base = base
	if o.Config.TLS.MinVersion == config.TLS13 {
		base.MinVersion = tls.VersionTLS13
	}
	return sec
}

// forControl is the configuration of one control connection. A client that names no server is shown the certificate of host, which it has
// named before.
func (sec *security) forControl(b binding, host string) *tls.Config {
	cfg := sec.base.Clone() // this connection's own, so the function below may change it
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return sec.certificates.of(cmp.Or(hello.ServerName, host)), nil
	}
	cfg.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) { return sec.sealBound(b, cs, ss) }
	cfg.UnwrapSession = sec.base.DecryptTicket
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !offers(hello, controlProtocols) {
			cfg.NextProtos = nil
		}
		return nil, nil
	}
	return cfg
}

// offers says whether a client names one of the protocols.
func offers(hello *tls.ClientHelloInfo, protocols []string) bool {
	return slices.ContainsFunc(hello.SupportedProtos, func(p string) bool { return slices.Contains(protocols, p) })
}

// Numbers of TLS extensions: pre_shared_key, by which a client offers a ticket (RFC 8446 §4.2), and encrypt_then_mac (RFC 7366).
const (
	extensionPSK            = 41
	extensionEncryptThenMAC = 22
)

// forData is the configuration of one data connection, and p what its session must prove. A ticket that p accepts is accepted in uploads
// and downloads alike; each handshake also sends one, for clients that use each ticket once (dataWire sends it late in an upload). Where a
// proof is demanded, a client without one gets no ticket. crypto/tls has no switch for that, but in every handshake of TLS 1.3 it calls
// UnwrapSession or GetCertificate, after it has looked at the client's ticket and before it makes its own. (Certificates is empty: where it
// is not, GetCertificate is called only for clients that name a server, and those that connect to an address do not.) In TLS 1.2
// GetCertificate is called first, and UnwrapSession always.
func (sec *security) forData(p *proof) *tls.Config {
	cfg := sec.base.Clone() // this connection's own, so the functions below may change it
	cfg.NextProtos = dataProtocols
	cfg.DynamicRecordSizingDisabled = true
	cfg.SessionTicketsDisabled = p.off
	cfg.WrapSession = p.seal
	cfg.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := p.open(ticket, cs)
		cfg.SessionTicketsDisabled = p.demanded && ss == nil
		return ss, err
	}
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cfg.SessionTicketsDisabled = p.off || p.demanded && slices.Contains(hello.SupportedVersions, tls.VersionTLS13)
		return sec.certificates.of(p.host), nil
	}
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		p.keepsTicket = slices.Contains(hello.Extensions, extensionEncryptThenMAC)
		if !offers(hello, dataProtocols) {
			cfg.NextProtos = nil
		}
		if !p.off && slices.Contains(hello.Extensions, extensionPSK) {
			// The ticket carries the secrecy of the control connection's key exchange; a post-quantum one would only cost again.
			cfg.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
		}
		return nil, nil
	}
	return cfg
}

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
