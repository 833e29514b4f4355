package main

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"

	"ftpd/pkg/keyring"
	"ftpd/pkg/supervisor"
)

// readCertificate reads the files of --certificate and --key. A confined run cannot reach them, and
// receives what the run before it has read.
func (s *share) readCertificate() (*supervisor.PEM, error) {
	if s.cert == "" {
		return nil, nil
	}
	if p, err := supervisor.HandedOver(); p != nil || err != nil {
		return p, err
	}
	var p supervisor.PEM
	var err error
	if p.Certificate, err = os.ReadFile(s.cert); err != nil {
		return nil, fmt.Errorf("--certificate: %w", err)
	}
	p.Key = p.Certificate
	if s.key != "" {
		if p.Key, err = os.ReadFile(s.key); err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
	}
	_, err = keyPair(&p)
	switch {
	case err != nil && s.key == "":
		return nil, fmt.Errorf(
			"--certificate %s: %w (without --key the file must contain the key, too)", s.cert, err)
	case err != nil:
		return nil, fmt.Errorf("--certificate %s --key %s: %w", s.cert, s.key, err)
	}
	return &p, nil
}

func keyPair(p *supervisor.PEM) (*tls.Certificate, error) {
	c, err := tls.X509KeyPair(p.Certificate, p.Key)
	return &c, err
}

// certificate returns the certificate of the files, or one made for this run.
func (s *share) certificate(p *supervisor.PEM) (*tls.Certificate, error) {
	if p != nil {
		return keyPair(p)
	}
	names := []string{"localhost"}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	addresses := s.reachable()
	if s.public.IsValid() {
		addresses = append(addresses, s.public.Unmap())
	}
	c, err := keyring.SelfSigned(names, addresses)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return c, nil
}

// reachable returns the addresses by which clients reach the listener, loopback addresses last.
func (s *share) reachable() []netip.Addr {
	if a := s.listen.Addr().Unmap(); !a.IsUnspecified() {
		return []netip.Addr{a}
	}
	return hostAddresses(s.listen.Addr().Is4())
}
