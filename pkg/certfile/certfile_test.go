package certfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
)

// certify returns a new certificate that expires after life, and its key.
func certify(t *testing.T, life time.Duration, names ...string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1),
		NotBefore: time.Now().Add(min(0,
			life) - time.Hour), NotAfter: time.Now().Add(life), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// An error in a certificate or its key is reported at the key that names the file, before the
// service starts.
func TestCertificateFiles(t *testing.T) {
	year := 365 * 24 * time.Hour
	good, key := certify(t, year)
	_, foreign := certify(t, year)
	soon, soonKey := certify(t, 13*24*time.Hour+time.Hour)
	over, overKey := certify(t, -time.Minute)
	locked := []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n" +
		"-----END ENCRYPTED PRIVATE KEY-----\n")
	dir := t.TempDir()
	for name, text := range map[string][]byte{
		"good.pem": good, "good.key": key, "foreign.key": foreign,
		"both.pem": append(bytes.Clone(key), good...),
		"soon.pem": append(soon, soonKey...), "over.pem": append(over,
			overKey...), "locked.key": locked, "empty.pem": nil,
		"broken.pem": []byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
		"long.pem":   bytes.Repeat(good, MaxChain/200), "huge.pem": make([]byte, maxPEM+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "public.key"), key, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ certificate, key, want string }{
		{"good.pem", "good.key", ""},
		{"both.pem", "", ""},
		{"good.pem", "",
			"2: tls.certificate: DIR/good.pem: there is no PEM block with a private key in it"},
		{"missing.pem", "good.key",
			"2: tls.certificate: DIR/missing.pem: cannot be read: no such file or directory"},
		{"good.pem", "missing.key",
			"3: tls.key: DIR/missing.key: cannot be read: no such file or directory"},
		{"good.pem", "foreign.key",
			"3: tls.key: DIR/foreign.key: the key is not that of the certificate"},
		{"good.pem", "locked.key",
			"3: tls.key: DIR/locked.key: the key is locked with a passphrase"},
		{"good.pem", "good.pem",
			"3: tls.key: DIR/good.pem: there is no PEM block with a private key in it"},
		{"empty.pem", "good.key",
			"2: tls.certificate: DIR/empty.pem: there is no PEM block with a certificate in it"},
		{"broken.pem", "good.key",
			"2: tls.certificate: DIR/broken.pem: certificate 1 in it: malformed"},
		{"long.pem", "good.key", "certificates are larger than 40960 bytes"},
		{"huge.pem", "good.key", "it is larger than 1048576 bytes"},
		{"soon.pem", "", "2: warning: tls.certificate: the certificate expires on "},
		{"over.pem", "", "2: warning: tls.certificate: the certificate expired on "},
		{"good.pem", "public.key",
			"3: warning: tls.key: everybody on this host can read the key: " +
				"chmod o-r DIR/public.key"},
	} {
		text := fmt.Sprintf("[tls]\ncertificate = %q\n", filepath.Join(dir, test.certificate))
		if test.key != "" {
			text += fmt.Sprintf("key = %q\n", filepath.Join(dir, test.key))
		}
		file := filepath.Join(dir, "ftpd.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		source := config.Inspect(file, nil)
		Check(source)
		problems := source.Problems
		got := strings.ReplaceAll(fmt.Sprint(problems), dir, "DIR")
		if (test.want == "") != (len(problems) == 0) || !strings.Contains(got, test.want) {
			t.Errorf("%s, %s:\n  got  %s\n  want %s", test.certificate, test.key, got, test.want)
		}
	}
}
