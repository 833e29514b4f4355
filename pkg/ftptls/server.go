// Package ftptls is TLS under control and data connections (RFC 4217): the configuration of each
// connection, the certificates, and the proof that a data connection belongs to the client of its
// control connection. It has no session and no replies.
package ftptls

import (
	"cmp"
	"crypto/tls"
	"slices"

	"ftpd/pkg/config"
)

// A Server has what is common to the TLS of all connections. The tickets of all connections are
// encrypted with the keys of base, which crypto/tls rotates; a copy would keep its first keys.
type Server struct {
	base         *tls.Config
	certificates *Certificates
	reuse        config.SessionReuse
	exempt       config.Networks // tls.session_reuse_exempt
}

// clientAuth has crypto/tls's values for those of tls.client_auth.
var clientAuth = map[config.ClientAuth]tls.ClientAuthType{
	config.ClientAuthOff:      tls.NoClientCert,
	config.ClientAuthOptional: tls.VerifyClientCertIfGiven,
	config.ClientAuthRequired: tls.RequireAndVerifyClientCert,
}

// NewServer returns a Server, or nil if certificates is nil.
func NewServer(c *config.TLS, certificates *Certificates) *Server {
	if certificates == nil {
		return nil
	}
	base := &tls.Config{
		NextProtos: controlProtocols,
		MinVersion: tls.VersionTLS12,
		ClientAuth: clientAuth[c.ClientAuth],
		ClientCAs:  certificates.clients,
	}
	if c.MinVersion == config.TLS13 {
		base.MinVersion = tls.VersionTLS13
	}
	return &Server{
		base: base, certificates: certificates, reuse: c.SessionReuse, exempt: c.SessionReuseExempt,
	}
}

// forControl returns the configuration of one control connection. A client that names no server in
// TLS gets the certificate of host, which it has named before, by HOST. The handshake sets o.
func (srv *Server) forControl(b binding, host string, o *offer) *tls.Config {
	cfg := srv.base.Clone()
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return srv.certificates.forHost(cmp.Or(hello.ServerName, host)), nil
	}
	cfg.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		return srv.sealBound(b, cs, ss)
	}
	cfg.UnwrapSession = srv.base.DecryptTicket
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		o.protocols = hello.SupportedProtos
		return nil, nil
	}
	return cfg
}

// Numbers of TLS extensions: pre_shared_key, in which a client offers a ticket (RFC 8446 §4.2), and
// encrypt_then_mac (RFC 7366).
const (
	extensionPSK            = 41
	extensionEncryptThenMAC = 22
)

// forData returns the configuration of one data connection; p is the proof that its session has to
// give. Uploads and downloads accept the same tickets. Each handshake also sends a ticket, for
// clients that use each ticket once (dataWire sends the ticket of an upload late).
//
// If a proof is demanded, a client without one gets no ticket. crypto/tls has no option for that.
// But in each handshake of TLS 1.3 it calls UnwrapSession or GetCertificate, after it has read the
// client's ticket and before it makes its own. (Certificates is empty. If it were not, crypto/tls
// would call GetCertificate only for clients that name a server, and those that connect to an
// address name none.) In TLS 1.2 it always calls GetCertificate first and then UnwrapSession.
func (srv *Server) forData(p *Proof) *tls.Config {
	cfg := srv.base.Clone() // belongs to this connection, so that the functions below may change it
	cfg.NextProtos = dataProtocols
	cfg.ClientAuth = p.clientAuth()
	cfg.DynamicRecordSizingDisabled = true
	cfg.SessionTicketsDisabled = p.off
	cfg.WrapSession = p.seal
	cfg.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := p.open(ticket, cs)
		cfg.SessionTicketsDisabled = p.demanded && ss == nil
		return ss, err
	}
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		tls13 := slices.Contains(hello.SupportedVersions, tls.VersionTLS13)
		cfg.SessionTicketsDisabled = p.off || p.demanded && tls13
		return srv.certificates.forHost(p.host), nil
	}
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		p.keepsTicket = slices.Contains(hello.Extensions, extensionEncryptThenMAC)
		p.offer.protocols = hello.SupportedProtos
		if !p.off && slices.Contains(hello.Extensions, extensionPSK) {
			// The ticket carries the secrecy of the control connection's key exchange, so that a
			// second post-quantum exchange would only cost time.
			cfg.CurvePreferences = []tls.CurveID{
				tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521,
			}
		}
		return nil, nil
	}
	return cfg
}
