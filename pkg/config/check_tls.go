package config

import (
	"reflect"
	"slices"
)

func (s *Source) checkTLS() {
	for _, key := range []string{"tls.certificate", "tls.key", "tls.client_ca"} {
		v, _ := lookUp(reflect.ValueOf(s.Config).Elem(), key)
		s.hostPath(key, v.Addr().Interface().(*string))
	}
}

// togetherTLS reports keys of TLS that do not go together.
func (s *Source) togetherTLS() {
	c := s.Config
	without := c.TLS.Certificate == "" && !s.failed["tls.certificate"]
	if c.TLS.Key != "" && without {
		s.problem("tls.key", "a key needs tls.certificate")
	}
	if len(c.Server.ListenTLS) > 0 && without {
		s.problem("server.listen_tls", "TLS needs tls.certificate")
	}
	if c.TLS.ClientAuth != ClientAuthOff && c.TLS.ClientCA == "" && !s.failed["tls.client_ca"] {
		s.problem("tls.client_auth",
			"certificates of clients are checked with tls.client_ca, which is not set")
	}
	for _, sc := range s.scopes() {
		if id := sc.id + ".require_tls"; c.TLS.ClientAuth == ClientAuthRequired && s.given(id) &&
			sc.settings.RequireTLS == RequireTLSOff {
			s.warn(id,
				"who does not use TLS need not show the certificate that tls.client_auth requires")
		}
	}
	if c.TLS.ClientCA != "" && c.TLS.ClientAuth == ClientAuthOff && !s.failed["tls.client_auth"] {
		s.warn("tls.client_ca", "nothing uses it while client_auth is \"off\"")
	}
	if c.TLS.SessionReuse == SessionReuseRequire && without {
		s.warn("tls.session_reuse", "nothing uses it without tls.certificate")
	}
	if len(c.TLS.SessionReuseExempt) > 0 && c.TLS.SessionReuse != SessionReuseRequire &&
		!s.failed["tls.session_reuse"] {
		s.warn("tls.session_reuse_exempt", "nothing uses it while session_reuse is \"%s\"",
			c.TLS.SessionReuse)
	}
	for i, h := range c.Hosts {
		if h.Certificate != "" && without {
			s.problem(item("host", i)+".certificate",
				"clients that name no host need tls.certificate")
		}
	}
	for _, sc := range s.scopes() {
		need := sc.settings.RequireTLS
		if (need == RequireTLSLogin || need == RequireTLSAll) && without {
			s.problem(sc.id+".require_tls", "nobody could log in: there is no tls.certificate")
		}
	}
}

// TLSFiles returns the files that the configuration names for TLS.
func (c *Config) TLSFiles() []string {
	files := []string{c.TLS.Certificate, c.TLS.Key, c.TLS.ClientCA}
	for _, h := range c.Hosts {
		files = append(files, h.Certificate, h.Key)
	}
	return slices.DeleteFunc(files, func(file string) bool { return file == "" })
}
