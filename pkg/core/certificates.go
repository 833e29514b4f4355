package core

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"

	"ftpd/pkg/monitor"
)

// Certificates are those that a server shows to its clients: one for everybody, and one more for each host that has its own. Their keys
// are the supervisor's. One is exchanged as a whole, so a handshake sees the old or the new one, and connections that stand go on.
type Certificates struct {
	supervisor monitor.Supervisor
	byHost     atomic.Pointer[map[string]*tls.Certificate] // by hostKey; "" is everybody's
	clients    *x509.CertPool                              // who signs clients' certificates
}

// NewCertificates takes the certificates over, with the DER of the authorities that sign clients' certificates. It is nil where there are
// none.
func NewCertificates(s monitor.Supervisor, all []monitor.Certificate, clientCAs [][]byte) (*Certificates, error) {
	if len(all) == 0 {
		return nil, nil
	}
	c := &Certificates{supervisor: s, clients: x509.NewCertPool()}
	c.byHost.Store(&map[string]*tls.Certificate{})
	for _, one := range all {
		if err := c.Exchange(one); err != nil {
			return nil, err
		}
	}
	if c.of("") == nil {
		return nil, errors.New("no certificate for clients that name no host")
	}
	for _, der := range clientCAs {
		ca, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("parse an authority of clients' certificates: %w", err)
		}
		c.clients.AddCert(ca)
	}
	return c, nil
}

// Exchange shows a certificate from now on, in place of the one for the same host. Only one goroutine at a time may call it.
func (c *Certificates) Exchange(one monitor.Certificate) error {
	if c == nil {
		return errors.New("there is no TLS")
	}
	next, err := one.ForTLS(c.supervisor)
	if err != nil {
		return err
	}
	all := maps.Clone(*c.byHost.Load())
	all[hostKey(one.Host)] = next
	c.byHost.Store(&all)
	return nil
}

// of is the certificate for clients that ask for a host. One without its own has everybody's, and so has a name that is unknown here, or "".
func (c *Certificates) of(host string) *tls.Certificate {
	all := *c.byHost.Load()
	if own := all[hostKey(host)]; own != nil {
		return own
	}
	return all[""]
}

// hostKey is a host's name as names are compared: in any case, with or without the root's dot.
func hostKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
