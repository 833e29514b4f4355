package core

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"ftpd/pkg/config"
)

// clientAuth are crypto/tls's words for those of tls.client_auth.
var clientAuth = map[config.ClientAuth]tls.ClientAuthType{
	config.ClientAuthOff:      tls.NoClientCert,
	config.ClientAuthOptional: tls.VerifyClientCertIfGiven,
	config.ClientAuthRequired: tls.RequireAndVerifyClientCert,
}

var errOtherClient = errors.New("the data connection shows another client's certificate than the control connection")

// certificate returns what the client has shown on the control connection; nil is none.
func (c *secureControl) certificate() *x509.Certificate {
	if certs := c.ConnectionState().PeerCertificates; len(certs) > 0 {
		return certs[0]
	}
	return nil
}

// clientAuth returns how a data connection requests the client's certificate. It must show one if the
// control connection has one, so that no other client at the same address takes the data connection.
// A session that is resumed has the certificate in it.
func (p *proof) clientAuth() tls.ClientAuthType {
	if p.client == nil {
		return tls.NoClientCert
	}
	return tls.RequireAndVerifyClientCert
}

// sameClient reports whether a data connection has the certificate of the control connection, or
// both have none.
func (p *proof) sameClient(data *tls.Conn) bool {
	certs := data.ConnectionState().PeerCertificates
	if p.client == nil || len(certs) == 0 {
		return p.client == nil && len(certs) == 0
	}
	return p.client.Equal(certs[0])
}
