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

// A remoteKey is a private key that the supervisor holds. Signing sends a request to the
// supervisor. It implements crypto.MessageSigner, so that crypto/tls passes it whole messages
// and not hashes.
type remoteKey struct {
	supervisor  Supervisor
	certificate Digest
	public      crypto.PublicKey
}

// ForTLS returns the certificate in the form of crypto/tls, with a key that the supervisor
// holds.
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

// Sign implements crypto.Signer. It always fails, because a hash does not show what is signed.
func (*remoteKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("only whole messages are signed")
}

// SignMessage implements crypto.MessageSigner. It ends at the deadline that the table of
// requests states.
func (k *remoteKey) SignMessage(
	_ io.Reader, message []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	scheme, err := schemeOf(k.public, opts)
	if err != nil {
		return nil, err
	}
	h := Handshake{Certificate: k.certificate, Scheme: scheme, Message: message}
	return k.supervisor.Sign(context.Background(), h)
}
