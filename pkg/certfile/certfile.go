// Package certfile reads certificates and their keys from files, and checks the files that a
// configuration names for TLS.
package certfile

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// MaxChain bounds the DER of a certificate and its chain, in bytes, because a renewed chain must
// fit into one message to the process that presents it.
const MaxChain = 40 << 10

// maxPEM bounds a file with certificates or a key, in bytes.
const maxPEM = 1 << 20

// A PairError is an error in the file of a certificate or its key.
type PairError struct {
	Key  string // "certificate" or "key": the configuration key that names the file
	File string
	Err  error
}

func (e *PairError) Error() string { return e.File + ": " + e.Err.Error() }
func (e *PairError) Unwrap() error { return e.Err }

// ReadPair reads the PEM files of a certificate with its chain and of its key. If key is "", the
// first file contains both. The Leaf of the result is set. An error is a *PairError.
func ReadPair(certificate, key string) (*tls.Certificate, error) {
	chain, err := readPEM(certificate)
	if err == nil {
		err = checkChain(chain)
	}
	if err != nil {
		return nil, &PairError{"certificate", certificate, err}
	}
	private, holder, file := chain, "certificate", certificate
	if key != "" {
		holder, file = "key", key
		private, err = readPEM(key)
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = parsePair(chain, private)
	}
	if err != nil {
		return nil, &PairError{holder, file, err}
	}
	return &pair, nil
}

// parsePair combines a valid chain and its key.
func parsePair(chain, private []byte) (tls.Certificate, error) {
	types := blockTypes(private)
	switch {
	case strings.Contains(types, "ENCRYPTED"),
		strings.Contains(string(private), "\nProc-Type: 4,ENCRYPTED"):
		return tls.Certificate{}, errors.New("the key is locked with a passphrase, " +
			"which nobody types at a start; openssl pkey -in OLD -out NEW unlocks it")
	case !strings.Contains(types, "PRIVATE KEY"):
		return tls.Certificate{}, errors.New("there is no PEM block with a private key in it")
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil && strings.Contains(err.Error(), "does not match") {
		err = errors.New("the key is not that of the certificate")
	} else if err != nil {
		err = errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	return pair, err
}

// blockTypes returns the types of all PEM blocks, separated by commas.
func blockTypes(text []byte) string {
	var types []string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		types = append(types, block.Type)
	}
	return strings.Join(types, ",")
}

// checkChain checks that a PEM text is a chain of certificates that is not larger than MaxChain.
func checkChain(text []byte) error {
	chain, err := parseCertificates(text)
	size := 0
	for _, der := range chain {
		size += len(der)
	}
	if size > MaxChain {
		err = fmt.Errorf("its %d certificates are larger than %d bytes: "+
			"a chain is the server's own and those between it and a root", len(chain), MaxChain)
	}
	return err
}

// parseCertificates returns the DER of every certificate in a PEM text. It is an error if there is
// none.
func parseCertificates(text []byte) (all [][]byte, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("certificate %d in it: %s", len(all)+1,
				strings.TrimPrefix(err.Error(), "x509: "))
		}
		all = append(all, block.Bytes)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no PEM block with a certificate in it")
	}
	return all, nil
}

// ReadAuthorities returns the certificates in a PEM file, as DER.
func ReadAuthorities(file string) ([][]byte, error) {
	text, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	return parseCertificates(text)
}

// readPEM reads a whole file. Its errors do not contain the name of the file.
func readPEM(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err == nil {
		defer f.Close()
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(f, maxPEM+1)); err == nil && len(text) <= maxPEM {
			return text, nil
		}
	}
	if err == nil {
		return nil, fmt.Errorf("it is larger than %d bytes", maxPEM)
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return nil, fmt.Errorf("cannot be read: %w", err)
}

// warningTime is the time before the expiry of a certificate in which Expiry returns a warning.
const warningTime = 14 * 24 * time.Hour

// Expiry returns a warning if a certificate has expired, expires soon, or is not yet valid, and
// else "".
func Expiry(c *x509.Certificate, now time.Time) string {
	switch left := c.NotAfter.Sub(now); {
	case left <= 0:
		return "the certificate expired on " + c.NotAfter.UTC().Format(time.DateOnly)
	case left < warningTime:
		return fmt.Sprintf("the certificate expires on %s, in %d days",
			c.NotAfter.UTC().Format(time.DateOnly), left/(24*time.Hour))
	case now.Before(c.NotBefore):
		return "the certificate is good only from " +
			c.NotBefore.UTC().Format(time.DateTime) + " on (UTC)"
	}
	return ""
}
