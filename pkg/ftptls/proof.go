package ftptls

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"sync/atomic"

	"ftpd/pkg/config"
)

// A binding names one control connection in the tickets of that connection and of its data
// connections. Tickets are encrypted with the server's keys, and only the two ends of a handshake
// have the secret of its session. So a data connection that resumes by a ticket with this binding
// belongs to the same client, even if other clients have the same address or the same account.
type binding string

// newBinding returns a binding that begins with the mark of our entries of SessionState.Extra.
func newBinding() binding { return binding("ftpd control connection " + rand.Text()) }

// sealBound is WrapSession with a binding.
func (srv *Server) sealBound(
	b binding, cs tls.ConnectionState, ss *tls.SessionState,
) ([]byte, error) {
	ss.Extra = append(ss.Extra, []byte(b))
	return srv.base.EncryptTicket(cs, ss)
}

// A Proof is what the TLS session of one data connection has to prove about its control connection.
// open accepts only tickets with the binding; so a client that has resumed has given the proof.
type Proof struct {
	server  *Server
	binding binding
	host    string // its certificate is the one that the control connection has shown
	// client is the certificate that the client has shown on the control connection; nil is none.
	client   *x509.Certificate
	off      bool  // no session is resumed
	demanded bool  // a client that does not resume is refused
	lack     error // why the session was not resumed, if it was not
	// resumed is the control connection's: an earlier data connection has given the proof.
	resumed *atomic.Bool

	offer    offer // of the client; set by the handshake
	incoming bool  // the client uploads
	// keepsTicket means that the client keeps its old ticket if TLS 1.2 sends no new one.
	keepsTicket bool
	// ticketNext means that the last record of the next write is a ticket that is sent at the end
	// of the upload.
	ticketNext bool
}

// The reasons for which a data connection has not resumed the session of its control connection.
var (
	ErrNoTicket      = errors.New("the client offered no TLS session")
	ErrUnknownTicket = errors.New(
		"the client offered a TLS session that is not known here any more")
	ErrForeignTicket = errors.New(
		"the client offered the TLS session of another control connection")
	ErrUnusedTicket = errors.New(
		"the client offered the right TLS session, and could not resume it")
)

// NewProof returns the proof that the next data connection has to give. incoming reports that the
// client uploads. It is called by the goroutine that calls Put; other goroutines may use the result.
func (c *Control) NewProof(incoming bool) *Proof {
	srv := c.server
	return &Proof{
		server:  srv,
		binding: c.binding,
		host:    c.host,
		client:  c.certificate(),
		off:     srv.reuse == config.SessionReuseOff,
		demanded: srv.reuse == config.SessionReuseRequire &&
			!srv.exempt.Contains(c.wire.Conn.Remote().Addr()),
		lack:     ErrNoTicket,
		resumed:  &c.resumed,
		incoming: incoming,
	}
}

// ResumedBefore reports whether an earlier data connection of the same control connection has
// resumed its session. If this one has not, it may belong to another client.
func (p *Proof) ResumedBefore() bool { return p.resumed.Load() }

// certificate returns the certificate that the client has shown; nil is none.
func (c *Control) certificate() *x509.Certificate {
	if certs := c.tls.ConnectionState().PeerCertificates; len(certs) > 0 {
		return certs[0]
	}
	return nil
}

// clientAuth returns how a data connection requests the client's certificate. The connection must
// show one if the control connection has shown one, so that no other client at the same address can
// take it. A session that is resumed contains the certificate.
func (p *Proof) clientAuth() tls.ClientAuthType {
	if p.client == nil {
		return tls.NoClientCert
	}
	return tls.RequireAndVerifyClientCert
}

// isClient reports whether a data connection has shown the control connection's certificate, or
// neither has shown one.
func (p *Proof) isClient(data *tls.Conn) bool {
	certs := data.ConnectionState().PeerCertificates
	if p.client == nil || len(certs) == 0 {
		return p.client == nil && len(certs) == 0
	}
	return p.client.Equal(certs[0])
}

// open is UnwrapSession. TLS 1.2 calls it with an empty ticket, too.
func (p *Proof) open(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	if len(ticket) == 0 {
		return nil, nil
	}
	ss, err := p.server.base.DecryptTicket(ticket, cs)
	switch {
	case err != nil || ss == nil:
		p.lack = ErrUnknownTicket
		return nil, err
	case !slices.ContainsFunc(ss.Extra, func(e []byte) bool {
		return string(e) == string(p.binding)
	}):
		p.lack = ErrForeignTicket
		return nil, nil
	}
	p.lack = ErrUnusedTicket
	return ss, nil
}

// seal is WrapSession. If a proof is demanded, a connection that gave none gets no ticket with the
// binding for the next one.
//
// In a resumed handshake of TLS 1.2 crypto/tls always announces a ticket. OpenSSL's clients replace
// their session by a new one with that ticket and forbid the old one, which is the control
// connection's; many have no other (PHP, Ruby). So they get a ticket of no bytes (RFC 5077 §3.3).
// As clients, crypto/tls and OpenSSL before 1.1.0 would then keep nothing of their session. They,
// and others that never offer encrypt_then_mac, which OpenSSL, GnuTLS and Mbed TLS offer, get a new
// ticket.
func (p *Proof) seal(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	switch {
	case p.demanded && !cs.DidResume:
		return p.server.base.EncryptTicket(cs, ss)
	case cs.DidResume && cs.Version == tls.VersionTLS12 && p.keepsTicket:
		return nil, nil
	}
	p.ticketNext = p.incoming && cs.Version == tls.VersionTLS13
	return p.server.sealBound(p.binding, cs, ss)
}
