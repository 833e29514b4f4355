package core

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"

	"ftpd/pkg/config"
	"ftpd/pkg/events"
)

// A binding names one control connection inside the tickets of that connection and of its data connections. Tickets are sealed with the
// server's keys, and their session's secret is known to those alone who made its handshake. So a data connection that resumes by a
// ticket with this binding is the same client's, whoever else shares his address, or his account.
type binding string

// newBinding begins with what marks an entry of SessionState.Extra as ours.
func newBinding() binding { return binding("ftpd control connection " + rand.Text()) }

// sealBound is WrapSession with a binding.
func (sec *security) sealBound(b binding, cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	ss.Extra = append(ss.Extra, []byte(b))
	return sec.base.EncryptTicket(cs, ss)
}

// A proof is what the TLS session of one data connection tells about its control connection. open accepts no other ticket than one with
// the binding; so who has resumed has proved it.
type proof struct {
	sec      *security
	binding  binding
	host     string            // whose certificate the control connection has shown
	client   *x509.Certificate // that the client has shown on the control connection; nil: none
	off      bool              // no session is resumed
	demanded bool              // who does not resume is refused
	lack     error             // why it was not resumed, if it was not

	incoming    bool // the client uploads
	keepsTicket bool // the client goes on with its old ticket where TLS 1.2 brings no new one
	ticketNext  bool // the last record of the next write is a ticket that waits for the end of the upload
}

var (
	errNoTicket      = errors.New("the client offered no TLS session")
	errUnknownTicket = errors.New("the client offered a TLS session that is not known here any more")
	errForeignTicket = errors.New("the client offered the TLS session of another control connection")
	errUnusedTicket  = errors.New("the client offered the right TLS session, and could not resume it")
)

// newProof is called in the session's turn, and the proof is then used outside of it.
func (s *Session) newProof(incoming bool) *proof {
	t := s.srv.config.TLS
	return &proof{
		sec:      s.srv.security,
		binding:  s.tls.binding,
		host:     s.tls.control.host,
		client:   s.tls.control.certificate(),
		off:      t.SessionReuse == config.SessionReuseOff,
		demanded: t.SessionReuse == config.SessionReuseRequire && !t.SessionReuseExempt.Contains(s.conn.Remote().Addr()),
		lack:     errNoTicket,
		incoming: incoming,
	}
}

// open is UnwrapSession. TLS 1.2 calls it with an empty ticket, too.
func (p *proof) open(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	if len(ticket) == 0 {
		return nil, nil
	}
	ss, err := p.sec.base.DecryptTicket(ticket, cs)
	switch {
	case err != nil || ss == nil:
		p.lack = errUnknownTicket
		return nil, err
	case !slices.ContainsFunc(ss.Extra, func(e []byte) bool { return string(e) == string(p.binding) }):
		p.lack = errForeignTicket
		return nil, nil
	}
	p.lack = errUnusedTicket
	return ss, nil
}

// seal is WrapSession. Where a proof is demanded, a connection that gave none must not get one for the next.
//
// A resumed handshake of TLS 1.2 always announces a ticket in crypto/tls. OpenSSL's clients replace the session by a new one with that
// ticket and forbid the old one, which is the control connection's, and many have no other (PHP, Ruby); so they get a ticket of no bytes
// (RFC 5077 §3.3). crypto/tls itself as a client, and OpenSSL before 1.1.0, would keep nothing of their session then: they and others
// that never offer encrypt_then_mac, as OpenSSL, GnuTLS and Mbed TLS do, get a new ticket.
func (p *proof) seal(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
	switch {
	case p.demanded && !cs.DidResume:
		return p.sec.base.EncryptTicket(cs, ss)
	case cs.DidResume && cs.Version == tls.VersionTLS12 && p.keepsTicket:
		return nil, nil
	}
	p.ticketNext = p.incoming && cs.Version == tls.VersionTLS13
	return p.sec.sealBound(p.binding, cs, ss)
}

// A notResumedError is why a data connection did not resume the TLS session of its control
// connection, where that is required.
type notResumedError struct{ err error }

func (e *notResumedError) Error() string { return e.err.Error() }
func (e *notResumedError) Unwrap() error { return e.err }

// reused reports a data connection that has not resumed its control connection's session, and refuses it where that is demanded. It does
// so after the handshake and with TLS's own end: who fails inside TLS hardly reads the reply.
func (t *transfer) reused(ctx context.Context) error {
	p := t.proof
	if p.off || t.secure.ConnectionState().DidResume {
		return nil
	}
	e := events.Event{Kind: events.NotResumed, Verb: t.what.verb, Client: t.client, Cause: p.lack.Error()}
	if !p.demanded {
		t.report(e)
		return nil
	}
	refused := &notResumedError{p.lack}
	e.Reply = refuse(refused).Code
	t.report(e)
	if err := t.secure.finish(ctx); err != nil {
		return err
	}
	return refused
}
