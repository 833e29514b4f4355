package monitor

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
)

// A remoteKey is the key of a certificate as a core has it: the supervisor signs. As a crypto.MessageSigner it is given the message itself.
type remoteKey struct {
	supervisor  Supervisor
	certificate Digest
	public      crypto.PublicKey
}

// ForTLS is the certificate for crypto/tls, whose key asks the supervisor.
func (c Certificate) ForTLS(s Supervisor) (*tls.Certificate, error) {
	if len(c.Chain) == 0 {
		return nil, errors.New("a certificate without a chain")
	}
	leaf, err := x509.ParseCertificate(c.Chain[0])
	if err != nil {
		return nil, fmt.Errorf("parse a certificate: %w", err)
	}
	key := &remoteKey{supervisor: s, certificate: sha256.Sum256(c.Chain[0]), public: leaf.PublicKey}
	return &tls.Certificate{Certificate: c.Chain, Leaf: leaf, PrivateKey: key}, nil
}

// Public implements crypto.Signer.
func (k *remoteKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer. Nobody signs a mere hash: it does not tell what it is of.
func (*remoteKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("only whole messages are signed")
}

// SignMessage implements crypto.MessageSigner. It ends at the table's deadline for it.
func (k *remoteKey) SignMessage(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	scheme, err := schemeOf(k.public, opts)
	if err != nil {
		return nil, err
	}
	return k.supervisor.Sign(context.Background(), Handshake{Certificate: k.certificate, Scheme: scheme, Message: message})
}
