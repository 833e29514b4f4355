package certfile

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/trust"
)

// Check reads the files of TLS that a configuration names, and reports those that cannot be
// used. It does nothing if a file of the configuration could not be read.
func Check(source *config.Source) {
	if !source.Complete() {
		return
	}
	c := source.Config
	checkPair(source, "tls", c.TLS.Certificate, c.TLS.Key)
	for i, h := range c.Hosts {
		id := fmt.Sprintf("host[%d]", i)
		leaf := checkPair(source, id, h.Certificate, h.Key)
		if leaf != nil && leaf.VerifyHostname(strings.TrimSuffix(h.Name, ".")) != nil {
			source.Report(id+".certificate", true,
				"the certificate is not for %s, and clients will not take it", h.Name)
		}
	}
	if c.TLS.ClientCA != "" && c.TLS.ClientAuth != config.ClientAuthOff &&
		!source.HasError("tls.client_ca") {
		if _, err := ReadAuthorities(c.TLS.ClientCA); err != nil {
			source.Report("tls.client_ca", false, "%s: %v", c.TLS.ClientCA, err)
		}
		warnOfWriters(source, "tls.client_ca", c.TLS.ClientCA)
	}
}

// checkPair reads the certificate and the key of the table id. It returns the certificate, or nil
// if one of them cannot be used.
func checkPair(source *config.Source, id, certificate, key string) *x509.Certificate {
	certificateID, keyID := id+".certificate", id+".key"
	if certificate == "" || source.HasError(certificateID) || source.HasError(keyID) {
		return nil
	}
	p, err := ReadPair(certificate, key)
	if wrong := (*PairError)(nil); errors.As(err, &wrong) {
		source.Report(id+"."+wrong.Key, false, "%v", wrong)
		return nil
	}
	if text := Expiry(p.Leaf, time.Now()); text != "" {
		source.Report(certificateID, true, "%s", text)
	}
	warnOfWriters(source, certificateID, certificate)
	if key == "" {
		keyID, key = certificateID, certificate
	} else {
		warnOfWriters(source, keyID, key)
	}
	if info, err := os.Stat(key); err == nil && info.Mode().Perm()&0o004 != 0 {
		source.Report(keyID, true,
			"everybody on this host can read the key: chmod o-r %s", key)
	}
	return p.Leaf
}

// warnOfWriters warns if other accounts can exchange a file. It is no error, because programs that
// renew certificates may run as accounts of their own.
func warnOfWriters(source *config.Source, id, file string) {
	if _, err := trust.Path(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		source.Report(id, true, "%v", err)
	}
}
