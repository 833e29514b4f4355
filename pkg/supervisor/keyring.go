package supervisor

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

	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

// A keyring holds the certificates that are served and their keys, which nothing else ever gets: cores ask it to sign. It reads the files
// again when they have changed.
type keyring struct {
	log       zerolog.Logger
	pairs     []*pair  // that of [tls] first; none: there is no TLS
	clientCAs [][]byte // DER

	mu sync.Mutex // guards what cores ask for in all pairs: current and previous
}

// A pair is a certificate with its key. All but current and previous is for look alone.
type pair struct {
	host             string // of [[host]]; "" is [tls]
	certificate, key string // files; "" and "": made for this run

	seen    []os.FileInfo // of the files when they were read; nil for one that was not there
	refused error         // why they are not in force; nil: they are
	warned  time.Time     // of the certificate's end

	current  *tls.Certificate
	previous *tls.Certificate // signs until the next look, for handshakes that have begun with it
}

// newKeyring reads all that the configuration names, or holds the one certificate that was made for this run.
func newKeyring(o Options) (*keyring, error) {
	k := &keyring{log: o.Log}
	if o.Certificate != nil {
		k.pairs = []*pair{{current: o.Certificate}}
		return k, nil
	}
	c := o.Config
	if c.TLS.Certificate == "" {
		return k, nil
	}
	if c.TLS.ClientAuth != config.ClientAuthOff {
		var err error
		if k.clientCAs, err = config.ReadAuthorities(c.TLS.ClientCA); err != nil {
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
		if p.current, err = config.ReadPair(p.certificate, p.key); err != nil {
			return nil, err
		}
		p.tell(k.log, now, "certificate")
	}
	return k, nil
}

// certificates are what cores show.
func (k *keyring) certificates() []monitor.Certificate {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []monitor.Certificate
	for _, p := range k.pairs {
		all = append(all, p.shown())
	}
	return all
}

func (p *pair) shown() monitor.Certificate {
	return monitor.Certificate{Host: p.host, Chain: p.current.Certificate}
}

var errNoKey = errors.New("there is no such certificate here")

// sign signs a handshake with the key of one of the certificates.
func (k *keyring) sign(h monitor.Handshake) ([]byte, error) {
	key := k.find(h.Certificate)
	if key == nil {
		return nil, errNoKey
	}
	return h.Sign(key)
}

func (k *keyring) find(wanted monitor.Digest) crypto.Signer {
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

// lookInterval is how often the files are looked at.
const lookInterval = 5 * time.Second

// look reads the files that have changed since the last look, and returns what is to be shown instead of what was. A pair that is not
// whole changes nothing; since its two files are written one after the other, that is told only when nothing has changed by the next look.
func (k *keyring) look(now time.Time) (changed []monitor.Certificate) {
	for _, p := range k.pairs {
		if p.certificate == "" {
			continue
		}
		if next := p.look(k.log); next != nil {
			k.mu.Lock()
			p.previous, p.current = p.current, next
			k.mu.Unlock()
			p.tell(k.log, now, "certificate renewed")
			changed = append(changed, p.shown())
			continue
		}
		k.mu.Lock()
		p.previous = nil
		k.mu.Unlock()
		if now.Sub(p.warned) >= 24*time.Hour && config.Expiry(p.current.Leaf, now) != "" {
			p.tell(k.log, now, "certificate")
		}
	}
	return changed
}

// look is the pair of the files, if they have changed and it is whole.
func (p *pair) look(log zerolog.Logger) *tls.Certificate {
	if seen := p.stat(); !same(seen, p.seen) {
		p.seen = seen
		next, err := config.ReadPair(p.certificate, p.key)
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

// stat looks at the files.
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

// same says whether files look as they did.
func same(a, b []os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}

// tell writes a record of the certificate that is in force, as a warning when its time is not now or ends soon.
func (p *pair) tell(log zerolog.Logger, now time.Time, message string) {
	e := log.Info()
	if text := config.Expiry(p.current.Leaf, now); text != "" {
		e = log.Warn().Str("cause", text)
		p.warned = now
	}
	if p.host != "" {
		e.Str("host", p.host)
	}
	leaf := p.current.Leaf
	e.Str("subject", leaf.Subject.String()).Strs("names", leaf.DNSNames).Time("not_after", leaf.NotAfter.UTC()).
		Int("days_left", int(leaf.NotAfter.Sub(now)/(24*time.Hour))).Str("sha256", Fingerprint(p.current)).Msg(message)
}
