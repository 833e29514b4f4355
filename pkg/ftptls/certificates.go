package ftptls

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

// Certificates are those that a server shows to its clients: a default one, and one for each host
// that has its own. Their keys are in the supervisor, which signs the handshakes. A certificate is
// exchanged as a whole: a handshake uses the old or the new one, and open connections stay open.
type Certificates struct {
	supervisor monitor.Supervisor
	byHost     atomic.Pointer[map[string]*tls.Certificate] // by HostKey; "" is the default
	clients    *x509.CertPool                              // authorities of clients' certificates
}

// NewCertificates returns the certificates of a server. clientCAs are the authorities that sign
// clients' certificates, in DER. The result is nil if there are no certificates.
func NewCertificates(
	s monitor.Supervisor, all []monitor.Certificate, clientCAs [][]byte,
) (*Certificates, error) {
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
	if c.forHost("") == nil {
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

// Exchange replaces the certificate for the same host. Only one goroutine at a time may call it. It
// fails if c is nil.
func (c *Certificates) Exchange(one monitor.Certificate) error {
	if c == nil {
		return errors.New("there is no TLS")
	}
	next, err := one.ForTLS(c.supervisor)
	if err != nil {
		return err
	}
	all := maps.Clone(*c.byHost.Load())
	all[HostKey(one.Host)] = next
	c.byHost.Store(&all)
	return nil
}

// forHost returns the certificate for clients that name a host: the host's own, or the default one.
func (c *Certificates) forHost(host string) *tls.Certificate {
	all := *c.byHost.Load()
	if own := all[HostKey(host)]; own != nil {
		return own
	}
	return all[""]
}

// HostKey returns a host's name in the form in which names are compared: in lower case and without
// the dot of the root.
func HostKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
