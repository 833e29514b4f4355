package monitor

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// keysOf returns a key of each kind that can sign.
func keysOf(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	keys := map[string]crypto.Signer{}
	var err error
	if keys["rsa"], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	for name, curve := range map[string]elliptic.Curve{
		"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521(),
	} {
		if keys[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	if _, keys["ed25519"], err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	return keys
}

func selfSigned(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Each kind of key signs the handshakes of crypto/tls, in both versions and with each curve,
// though the server has no private key.
func TestSignedHandshakes(t *testing.T) {
	for name, key := range keysOf(t) {
		c, err := Certificate{Chain: [][]byte{selfSigned(t, key)}}.ForTLS(&inPlace{key: key})
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, curve := range []tls.CurveID{
				tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521,
			} {
				near, far := net.Pipe()
				server := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{*c}})
				go func() { // ends with the handshake
					server.Handshake()
					far.Close()
				}()
				client := tls.Client(near, &tls.Config{
					InsecureSkipVerify: true,
					MinVersion:         version,
					MaxVersion:         version,
					CurvePreferences:   []tls.CurveID{curve},
				})
				if err := client.Handshake(); err != nil {
					t.Errorf("%s, TLS %x over %v: %v", name, version, curve, err)
				}
				near.Close()
			}
		}
	}
}

// An inPlace is a supervisor in this process that can only sign.
type inPlace struct {
	Supervisor
	key crypto.Signer
}

func (d *inPlace) Sign(_ context.Context, h Handshake) ([]byte, error) { return h.Sign(d.key) }

// The key of the core cannot decrypt, so that crypto/tls offers no key exchange by RSA.
func TestNoKeyExchangeByRSA(t *testing.T) {
	key := keysOf(t)["rsa"]
	c, err := Certificate{Chain: [][]byte{selfSigned(t, key)}}.ForTLS(&inPlace{key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.PrivateKey.(crypto.Decrypter); ok {
		t.Error("the core's key decrypts")
	}
	signer := c.PrivateKey.(crypto.Signer)
	if _, err := signer.Sign(rand.Reader, make([]byte, 32), crypto.SHA256); err == nil {
		t.Error("a hash was signed")
	}
}

// largestMessage returns the largest message that a TLS server signs.
func largestMessage() []byte {
	key, err := ecdh.P521().GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return slices.Concat(make([]byte, randoms),
		[]byte{namedCurve, 0, byte(tls.CurveP521), 133}, key.PublicKey().Bytes())
}

// Sign signs only the messages that a TLS server signs.
func TestNothingElseIsSigned(t *testing.T) {
	verify := func(n int) []byte { return append(bytes.Clone(verifyPrefix), make([]byte, n)...) }
	exchange := func(curve tls.CurveID, size int) []byte {
		header := []byte{namedCurve, byte(curve >> 8), byte(curve), byte(size)}
		return slices.Concat(bytes.Repeat([]byte{' '}, randoms), header, make([]byte, size))
	}
	clientVerify := bytes.Replace(verify(32), []byte("server"), []byte("client"), 1)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		message []byte
		scheme  tls.SignatureScheme
		fault   string // "": it is signed
	}{
		{"CertificateVerify", verify(32), tls.PSSWithSHA256, ""},
		{"CertificateVerify", verify(48), tls.PSSWithSHA384, ""},
		{"ServerKeyExchange", exchange(tls.X25519, 32), tls.PSSWithSHA256, ""},
		{"ServerKeyExchange", largestMessage(), tls.PKCS1WithSHA512, ""},
		{"no point", exchange(tls.CurveP256, 65), tls.PKCS1WithSHA256, "impossible parameters"},
		{"nothing", nil, tls.PSSWithSHA256, "no TLS handshake"},
		{"text", []byte("I owe you 100"), tls.PSSWithSHA256, "no TLS handshake"},
		{"only the beginning", verifyPrefix, tls.PSSWithSHA256, "with a hash of 0 bytes"},
		{"long hash", verify(64), tls.PSSWithSHA256, "with a hash of 64 bytes"},
		{"of a client", clientVerify, tls.PSSWithSHA256, "no TLS handshake"},
		{"another length", exchange(tls.X25519, 33), tls.PSSWithSHA256, "impossible parameters"},
		{
			"a byte too many", append(exchange(tls.X25519, 32), 0), tls.PSSWithSHA256,
			"impossible parameters",
		},
		{"no such curve", exchange(999, 32), tls.PSSWithSHA256, "impossible parameters"},
		{"cut off", exchange(tls.X25519, 32)[:66], tls.PSSWithSHA256, "no TLS handshake"},
		{
			"explicit curve", append(make([]byte, 64), 1, 0, 29, 32), tls.PSSWithSHA256,
			"no TLS handshake",
		},
		{"PKCS1 in TLS 1.3", verify(32), tls.PKCS1WithSHA256, "RSASSA-PKCS1"},
		{"SHA-1", exchange(tls.X25519, 32), tls.PKCS1WithSHA1, "does not sign"},
		{"a key of another kind", verify(32), tls.ECDSAWithP256AndSHA256, "does not sign"},
		{"no scheme", verify(32), 0, "does not sign"},
	} {
		_, err := Handshake{Scheme: test.scheme, Message: test.message}.Sign(rsaKey)
		got := errorText(err)
		if (test.fault == "") != (err == nil) || !strings.Contains(got, test.fault) {
			t.Errorf("%s: %q, want %q", test.name, got, test.fault)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
