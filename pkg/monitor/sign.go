package monitor

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
)

// The private keys of TLS certificates stay with the supervisor. For each full handshake, a core
// requests a signature and sends the whole message to sign, so that the supervisor can check it.

// A Certificate is a certificate that a core shows to clients, without its private key.
type Certificate struct {
	// Host is the name of the [[host]] with this certificate. "" is [tls], for all other names.
	Host string `json:"host,omitempty"`
	// Chain is the chain in DER, beginning with the certificate of the server. It has at most
	// certfile.MaxChain bytes, so that it fits into one message.
	Chain [][]byte `json:"chain"`
}

// A Digest identifies a certificate. It is the SHA-256 of the DER.
type Digest [sha256.Size]byte

// A Handshake is a message that a TLS server signs in a full handshake.
type Handshake struct {
	Certificate Digest              `json:"certificate"` // of the key that signs
	Scheme      tls.SignatureScheme `json:"scheme"`
	Message     []byte              `json:"message"` // the whole message, not hashed
}

// verifyPrefix is the message that a TLS 1.3 server signs, without the hash at its end
// (RFC 8446 §4.4.3).
var verifyPrefix = append(bytes.Repeat([]byte{' '}, 64), "TLS 1.3, server CertificateVerify\x00"...)

// randoms is the length of the random numbers of client and server together (RFC 5246 §7.4.3).
const randoms = 64

// namedCurve marks the parameters of an elliptic curve (RFC 8422 §5.4).
const namedCurve = 3

// curves are the curves of the public keys that a server sends in TLS 1.2 (RFC 8422 §5.4).
var curves = map[tls.CurveID]ecdh.Curve{
	tls.X25519:    ecdh.X25519(),
	tls.CurveP256: ecdh.P256(),
	tls.CurveP384: ecdh.P384(),
	tls.CurveP521: ecdh.P521(),
}

// Check returns an error unless the message is the CertificateVerify (RFC 8446 §4.4.3) or the
// ServerKeyExchange (RFC 8422 §5.4) of a TLS server. Nothing else is signed. No message is both,
// because the byte behind the first 64 is "T" in the former and 3 in the latter.
func (h Handshake) Check() error {
	if rest, ok := bytes.CutPrefix(h.Message, verifyPrefix); ok {
		// The cipher suites of TLS 1.3 have these two hashes.
		if n := len(rest); n != crypto.SHA256.Size() && n != crypto.SHA384.Size() {
			return fmt.Errorf("a CertificateVerify with a hash of %d bytes", n)
		}
		if a := algorithms[h.Scheme]; a.rsa && !a.pss {
			return errors.New("a CertificateVerify with RSASSA-PKCS1-v1_5") // RFC 8446 §4.2.3
		}
		return nil
	}
	if len(h.Message) < randoms+4 || h.Message[randoms] != namedCurve {
		return errors.New("no TLS handshake")
	}
	p := h.Message[randoms+1:]
	curve, known := curves[tls.CurveID(p[0])<<8|tls.CurveID(p[1])]
	if known && len(p) == 3+int(p[2]) {
		// The point must lie on the curve. For X25519 all keys of 32 bytes are valid.
		if _, err := curve.NewPublicKey(p[3:]); err == nil {
			return nil
		}
	}
	return errors.New("a ServerKeyExchange with impossible parameters")
}

// An algorithm describes a signature scheme.
type algorithm struct {
	hash     crypto.Hash // 0 for Ed25519, which includes its hash
	rsa, pss bool
}

// algorithms holds the offered schemes. SHA-1 is not offered.
var algorithms = map[tls.SignatureScheme]algorithm{
	tls.Ed25519:                {},
	tls.ECDSAWithP256AndSHA256: {hash: crypto.SHA256},
	tls.ECDSAWithP384AndSHA384: {hash: crypto.SHA384},
	tls.ECDSAWithP521AndSHA512: {hash: crypto.SHA512},
	tls.PSSWithSHA256:          {hash: crypto.SHA256, rsa: true, pss: true},
	tls.PSSWithSHA384:          {hash: crypto.SHA384, rsa: true, pss: true},
	tls.PSSWithSHA512:          {hash: crypto.SHA512, rsa: true, pss: true},
	tls.PKCS1WithSHA256:        {hash: crypto.SHA256, rsa: true},
	tls.PKCS1WithSHA384:        {hash: crypto.SHA384, rsa: true},
	tls.PKCS1WithSHA512:        {hash: crypto.SHA512, rsa: true},
}

// schemeOf returns the scheme for the key and the options that crypto/tls passes when it signs.
func schemeOf(public crypto.PublicKey, opts crypto.SignerOpts) (tls.SignatureScheme, error) {
	_, pss := opts.(*rsa.PSSOptions)
	want := algorithm{hash: opts.HashFunc(), pss: pss}
	_, want.rsa = public.(*rsa.PublicKey)
	for scheme, a := range algorithms {
		if a == want {
			return scheme, nil
		}
	}
	return 0, fmt.Errorf("no signatures with %v", opts.HashFunc())
}

// fits reports whether a key of this type can sign with the algorithm.
func (a algorithm) fits(public crypto.PublicKey) bool {
	switch public.(type) {
	case *rsa.PublicKey:
		return a.rsa
	case *ecdsa.PublicKey:
		return !a.rsa && a.hash != 0
	case ed25519.PublicKey:
		return a.hash == 0
	}
	return false
}

// Sign checks the message by Check and signs it with key.
func (h Handshake) Sign(key crypto.Signer) ([]byte, error) {
	if err := h.Check(); err != nil {
		return nil, err
	}
	a, known := algorithms[h.Scheme]
	if !known || !a.fits(key.Public()) {
		return nil, fmt.Errorf("the key does not sign by %v", h.Scheme)
	}
	var opts crypto.SignerOpts = a.hash
	if a.pss {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	}
	return crypto.SignMessage(key, rand.Reader, h.Message, opts)
}
