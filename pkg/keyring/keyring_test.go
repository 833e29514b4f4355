package keyring

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

// A certFiles is a directory with a certificate and its key, and a keyring that reads them.
type certFiles struct {
	t    *testing.T
	dir  string
	log  bytes.Buffer
	keys *Keyring
}

// newPair makes a certificate. It returns the contents of its files, and its digest.
func newPair(t *testing.T) (certificate, key []byte, leaf monitor.Digest) {
	t.Helper()
	c, err := SelfSigned([]string{"ftp.example.org"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return certificate, key, sha256.Sum256(c.Certificate[0])
}

// put replaces a file in the way of programs that renew certificates: it renames a new file.
func (s *certFiles) put(name string, text []byte) {
	s.t.Helper()
	next := filepath.Join(s.dir, name+".new")
	if err := os.WriteFile(next, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

func newCertFiles(t *testing.T, certificate, key []byte) *certFiles {
	t.Helper()
	s := &certFiles{t: t, dir: t.TempDir()}
	s.put("cert.pem", certificate)
	s.put("key.pem", key)
	c := config.Default()
	c.TLS.Certificate, c.TLS.Key = filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")
	var err error
	if s.keys, err = Read(c, zerolog.New(&s.log)); err != nil {
		t.Fatal(err)
	}
	return s
}

// look calls Look of the keyring and returns the digests of the certificates that it returns.
func (s *certFiles) look() []monitor.Digest {
	var leaves []monitor.Digest
	for _, c := range s.keys.Look(time.Now()) {
		leaves = append(leaves, sha256.Sum256(c.Chain[0]))
	}
	return leaves
}

// signs reports whether the keyring signs with the key of a certificate.
func (s *certFiles) signs(leaf monitor.Digest) bool {
	message := append(bytes.Repeat([]byte{' '}, 64), "TLS 1.3, server CertificateVerify\x00"...)
	message = append(message, strings.Repeat("x", 32)...)
	_, err := s.keys.Sign(monitor.Handshake{
		Certificate: leaf, Scheme: tls.ECDSAWithP256AndSHA256, Message: message,
	})
	return err == nil
}

// A renewed pair is in force as soon as both of its files are written. The old key signs until the
// next Look, for handshakes that have begun.
func TestRenewal(t *testing.T) {
	certificate, key, old := newPair(t)
	s := newCertFiles(t, certificate, key)
	if got := s.look(); got != nil || !s.signs(old) {
		t.Fatalf("without a change: %x", got)
	}
	certificate, key, renewed := newPair(t)
	s.put("cert.pem", certificate)
	if got := s.look(); got != nil || strings.Contains(s.log.String(), "not taken") {
		t.Errorf("half of a pair: %x\n%s", got, &s.log)
	}
	s.put("key.pem", key)
	if got := s.look(); len(got) != 1 || got[0] != renewed {
		t.Fatalf("a renewed pair: %x, want %x", got, renewed)
	}
	if !s.signs(old) || !s.signs(renewed) {
		t.Error("right after the renewal, old and new are to sign")
	}
	if got := s.look(); got != nil || s.signs(old) || !s.signs(renewed) {
		t.Errorf("the look after: %x; the old one signs: %v", got, s.signs(old))
	}
	if !strings.Contains(s.log.String(), `"certificate renewed"`) {
		t.Errorf("the renewal is not logged:\n%s", &s.log)
	}
}

// A pair of files that do not match is logged once, and the old pair stays in force. The same holds
// when a file has been removed.
func TestRefusedRenewal(t *testing.T) {
	certificate, key, old := newPair(t)
	s := newCertFiles(t, certificate, key)
	_, foreign, _ := newPair(t)
	s.put("key.pem", foreign)
	for range 3 {
		if got := s.look(); got != nil {
			t.Errorf("a key of another certificate was taken: %x", got)
		}
	}
	if n := strings.Count(s.log.String(), "the key is not that of the certificate"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &s.log)
	}
	os.Remove(filepath.Join(s.dir, "key.pem"))
	for range 3 {
		s.look()
	}
	if n := strings.Count(s.log.String(), "cannot be read"); n != 1 || !s.signs(old) {
		t.Errorf("logged %d times:\n%s", n, &s.log)
	}
	s.put("key.pem", key)
	if got := s.look(); len(got) != 1 || got[0] != old {
		t.Errorf("the right key again: %x, want %x", got, old)
	}
}

// A certificate that ends soon is logged at the start, and then once a day.
func TestExpiry(t *testing.T) {
	certificate, key, _ := newPair(t)
	s := newCertFiles(t, certificate, key)
	if strings.Contains(s.log.String(), `"level":"warn"`) {
		t.Fatalf("a fresh certificate:\n%s", &s.log)
	}
	now := s.keys.pairs[0].current.Leaf.NotAfter.Add(-13*24*time.Hour - time.Hour)
	for _, want := range []struct {
		after    time.Duration
		warnings int
	}{{-48 * time.Hour, 0}, {0, 1}, {time.Hour, 1}, {24 * time.Hour, 2}} {
		s.keys.Look(now.Add(want.after))
		if n := strings.Count(s.log.String(), `"level":"warn"`); n != want.warnings {
			t.Errorf("after %v: %d warnings, want %d\n%s", want.after, n, want.warnings, &s.log)
		}
	}
	for _, want := range []string{`"days_left":13`, "CN=ftpd share"} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the record lacks %s:\n%s", want, &s.log)
		}
	}
}

// A certificate that was made for this run has no files, so Look never replaces it.
func TestOwnCertificate(t *testing.T) {
	c, err := SelfSigned(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := Of(c)
	if n := len(keys.Certificates()); n != 1 || keys.Look(time.Now()) != nil {
		t.Errorf("%d certificates", n)
	}
	if keys.find(sha256.Sum256(c.Certificate[0])) == nil {
		t.Error("its key is not there")
	}
}
