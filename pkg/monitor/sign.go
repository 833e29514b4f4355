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

// The keys of TLS certificates stay with the supervisor. A core asks it for each full handshake's signature and hands over all that is
// signed, so that the supervisor sees what it signs.

// A Certificate is what a core shows to clients, without its key.
type Certificate struct {
	Host  string   `json:"host,omitempty"` // the name of the [[host]] that it is for; "" is [tls], for everybody else
	Chain [][]byte `json:"chain"`          // DER, the server's own first; at most config.MaxChain, so that it fits into one message
}

// A Digest names a certificate: the SHA-256 of its DER.
type Digest [sha256.Size]byte

// A Handshake is what a TLS server signs once in a full handshake.
type Handshake struct {
	Certificate Digest              `json:"certificate"` // whose key shall sign
	Scheme      tls.SignatureScheme `json:"scheme"`
	Message     []byte              `json:"message"` // all of it, before any hash
}

// verifyPrefix is what a TLS 1.3 server signs, but for the hash at its end (RFC 8446 §4.4.3).
var verifyPrefix = append(bytes.Repeat([]byte{' '}, 64), "TLS 1.3, server CertificateVerify\x00"...)

// randoms is the length of what both sides have drawn (RFC 5246 §7.4.3).
const randoms = 64

// namedCurve marks the parameters of an elliptic curve (RFC 8422 §5.4).
const namedCurve = 3

// curves are those of the public keys that a server sends in TLS 1.2 (RFC 8422 §5.4).
var curves = map[tls.CurveID]ecdh.Curve{tls.X25519: ecdh.X25519(), tls.CurveP256: ecdh.P256(), tls.CurveP384: ecdh.P384(), tls.CurveP521: ecdh.P521()}

// Check says whether the message is a TLS server's CertificateVerify (RFC 8446 §4.4.3) or ServerKeyExchange (RFC 8422 §5.4). Nothing else
// is ever signed, and no message is both: where one has a "T", the other has a 3.
func (h Handshake) Check() error {
	if rest, ok := bytes.CutPrefix(h.Message, verifyPrefix); ok {
		if n := len(rest); n != crypto.SHA256.Size() && n != crypto.SHA384.Size() { // those of the cipher suites
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
		if _, err := curve.NewPublicKey(p[3:]); err == nil { // the point lies on the curve; of X25519, each of 32 bytes does
			return nil
		}
	}
	return errors.New("a ServerKeyExchange with impossible parameters")
}

// An algorithm is how a scheme signs.
type algorithm struct {
	hash     crypto.Hash // 0: Ed25519, which hashes itself
	rsa, pss bool
}

// algorithms are the schemes that are offered; SHA-1 is not.
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

// schemeOf finds the scheme that crypto/tls means when it asks a key for a signature.
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

// fits says whether the algorithm is one of the key's.
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

// Sign signs the message with the certificate's key, after Check.
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
