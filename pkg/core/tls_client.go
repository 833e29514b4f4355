package core

import (
	"bytes"
	"crypto/tls"
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

// asksAgain says whether the client's certificate is wanted on data connections: where the control connection has one, so that nobody
// else at the client's address takes them. A session that is resumed brings it along.
func (c *secureControl) asksAgain() tls.ClientAuthType {
	if len(c.ConnectionState().PeerCertificates) == 0 {
		return tls.NoClientCert
	}
	return tls.RequireAndVerifyClientCert
}

// sameClient says whether both connections have the same certificate, or none.
func (c *secureControl) sameClient(data *tls.Conn) bool {
	ours, theirs := c.ConnectionState().PeerCertificates, data.ConnectionState().PeerCertificates
	if len(ours) == 0 || len(theirs) == 0 {
		return len(ours) == len(theirs)
	}
	return bytes.Equal(ours[0].Raw, theirs[0].Raw)
}
