// Package keyring holds the certificates of the service and their keys, which never leave it: cores
// send requests to sign. It reads the files again when they have changed.
package keyring

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/certfile"
	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

// LookInterval is the time between two calls of Look.
const LookInterval = 5 * time.Second

// A Keyring holds certificates and keys.
type Keyring struct {
	// ClientCAs are the authorities of certificates of clients, as DER.
	ClientCAs [][]byte

	log   zerolog.Logger
	pairs []*pair // the pair of [tls] comes first; empty without TLS

	mu sync.Mutex // guards current and previous of all pairs, which requests of cores read
}

// A pair is a certificate with its key. Only Look uses the fields before current.
type pair struct {
	host             string // the name in [[host]]; "" for [tls]
	certificate, key string // paths of the files; both "" where the pair was made for this run

	seen    []os.FileInfo // of the files when they were read; nil for a file that did not exist
	refused error         // why the files that were read last are not in force, until it is logged
	warned  time.Time     // when the log last warned of the end of the certificate

	current  *tls.Certificate
	previous *tls.Certificate // signs until the next Look, for handshakes that have begun with it
}

// Read returns a Keyring with all certificates and keys that the configuration names. It logs each
// certificate.
func Read(c *config.Config, log zerolog.Logger) (*Keyring, error) {
	k := &Keyring{log: log}
	if c.TLS.Certificate == "" {
		return k, nil
	}
	if c.TLS.ClientAuth != config.ClientAuthOff {
		var err error
		if k.ClientCAs, err = certfile.ReadAuthorities(c.TLS.ClientCA); err != nil {
			return nil, fmt.Errorf("tls.client_ca %s: %w", c.TLS.ClientCA, err)
		}
	}
	k.pairs = []*pair{{certificate: c.TLS.Certificate, key: c.TLS.Key}}
	for _, h := range c.Hosts {
		if h.Certificate != "" {
			k.pairs = append(k.pairs, &pair{host: h.Name, certificate: h.Certificate, key: h.Key})
		}
	}
	now := time.Now()
	for _, p := range k.pairs {
		p.seen = p.stat()
		var err error
		if p.current, err = certfile.ReadPair(p.certificate, p.key); err != nil {
			return nil, err
		}
		p.logCertificate(k.log, now, "certificate")
	}
	return k, nil
}

// Of returns a Keyring with one certificate that was made for this run. It has no files, so Look
// never replaces it.
func Of(c *tls.Certificate) *Keyring { return &Keyring{pairs: []*pair{{current: c}}} }

// Fingerprint returns the fingerprint of the first certificate, "" if there is none.
func (k *Keyring) Fingerprint() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.pairs) == 0 {
		return ""
	}
	return fingerprint(k.pairs[0].current)
}

// Certificates returns the certificates that cores show, without the keys.
func (k *Keyring) Certificates() []monitor.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []monitor.Certificate
	for _, p := range k.pairs {
		all = append(all, p.shown())
	}
	return all
}

// shown returns the certificate that cores show.
func (p *pair) shown() monitor.Certificate {
	return monitor.Certificate{Host: p.host, Chain: p.current.Certificate}
}

var errNoKey = errors.New("there is no such certificate here")

// Sign signs a handshake with the key of the certificate that the handshake names.
func (k *Keyring) Sign(h monitor.Handshake) ([]byte, error) {
	key := k.find(h.Certificate)
	if key == nil {
		return nil, errNoKey
	}
	return h.Sign(key)
}

// find returns the key of a certificate, nil if there is no such certificate.
func (k *Keyring) find(wanted monitor.Digest) crypto.Signer {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range k.pairs {
		for _, c := range []*tls.Certificate{p.current, p.previous} {
			if c != nil && sha256.Sum256(c.Certificate[0]) == wanted {
				return c.PrivateKey.(crypto.Signer)
			}
		}
	}
	return nil
}

// Look reads the files that have changed since the last call, and returns the certificates that
// replace others. A certificate with a key that does not match changes nothing. Because the two
// files are written one after the other, Look logs the mismatch only if both files are the same at
// the next call.
func (k *Keyring) Look(now time.Time) (changed []monitor.Certificate) {
	for _, p := range k.pairs {
		if p.certificate == "" {
			continue
		}
		if next := p.look(k.log); next != nil {
			k.mu.Lock()
			p.previous, p.current = p.current, next
			k.mu.Unlock()
			p.logCertificate(k.log, now, "certificate renewed")
			changed = append(changed, p.shown())
			continue
		}
		k.mu.Lock()
		p.previous = nil
		k.mu.Unlock()
		if now.Sub(p.warned) >= 24*time.Hour && certfile.Expiry(p.current.Leaf, now) != "" {
			p.logCertificate(k.log, now, "certificate")
		}
	}
	return changed
}

// look returns the certificate and key of the files, if these have changed and match each other.
func (p *pair) look(log zerolog.Logger) *tls.Certificate {
	if seen := p.stat(); !same(seen, p.seen) {
		p.seen = seen
		next, err := certfile.ReadPair(p.certificate, p.key)
		if p.refused = err; err == nil {
			return next
		}
		return nil
	}
	if p.refused != nil {
		e := log.Error().Err(p.refused)
		if p.host != "" {
			e.Str("host", p.host)
		}
		e.Msg("the new certificate is not taken: the old one stays")
		p.refused = nil
	}
	return nil
}

// stat returns what the file system knows of both files, nil for a file that cannot be found.
func (p *pair) stat() []os.FileInfo {
	var all []os.FileInfo
	for _, file := range []string{p.certificate, p.key} {
		info, err := os.Stat(file)
		if err != nil {
			info = nil
		}
		all = append(all, info)
	}
	return all
}

// same reports whether files have not changed between two calls of stat.
func same(a, b []os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() ||
			!a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}

// logCertificate writes a record of the certificate in force. The record is a warning if the
// certificate is not valid yet, is not valid any more, or ends soon.
func (p *pair) logCertificate(log zerolog.Logger, now time.Time, message string) {
	e := log.Info()
	if text := certfile.Expiry(p.current.Leaf, now); text != "" {
		e = log.Warn().Str("cause", text)
		p.warned = now
	}
	if p.host != "" {
		e.Str("host", p.host)
	}
	leaf := p.current.Leaf
	e.Str("subject", leaf.Subject.String()).Strs("names", leaf.DNSNames).
		Time("not_after", leaf.NotAfter.UTC()).
		Int("days_left", int(leaf.NotAfter.Sub(now)/(24*time.Hour))).
		Str("sha256", fingerprint(p.current)).Msg(message)
}
