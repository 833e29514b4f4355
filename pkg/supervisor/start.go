package supervisor

import (
	"net"
	"os"

	"ftpd/pkg/keyring"
	"ftpd/pkg/sandbox"
)

// A Start describes a service that starts, for administrators.
type Start struct {
	Version     string
	PID         int
	Listen      []string // addresses with ports
	ListenTLS   []string // addresses with ports where TLS begins at once
	Passive     string   // the ports of passive data connections, as text
	Public      string   // the address in PASV replies; "" for the address of the server
	Sendfile    bool
	Fingerprint string // of the certificate; "" without TLS
	Layers      sandbox.Layers
}

func newStart(
	o Options, listeners []net.Listener, layers sandbox.Layers, keys *keyring.Keyring,
) Start {
	s := Start{
		Version:  o.Version,
		PID:      os.Getpid(),
		Passive:  o.Config.Data.PassivePorts.String(),
		Public:   o.Config.NAT.PublicAddress,
		Sendfile: o.Config.Data.Sendfile,
		Layers:   layers,

		Fingerprint: keys.Fingerprint(),
	}
	for i, l := range listeners {
		list := &s.Listen
		if i >= len(o.Config.Server.Listen) {
			list = &s.ListenTLS
		}
		*list = append(*list, l.Addr().String())
	}
	if s.Passive == "" {
		s.Passive = "any (" + ephemeralPorts().String() + ")"
	}
	return s
}

// announce shows or logs the start of the service. It warns if there is no certificate.
func announce(o Options, listeners []net.Listener, layers sandbox.Layers, keys *keyring.Keyring) {
	s := newStart(o, listeners, layers, keys)
	if o.Announce != nil {
		o.Announce(s)
	} else {
		s.record(o)
	}
	if s.Fingerprint == "" {
		o.Log.Warn().Msg("no certificate: passwords and files cross the network in clear text")
	}
}

// record writes the start record.
func (s Start) record(o Options) {
	e := o.Log.Info().Str("version", s.Version).Int("pid", s.PID).Strs("listen", s.Listen)
	if len(s.ListenTLS) > 0 {
		e.Strs("listen_tls", s.ListenTLS)
	}
	e.Str("passive_ports", s.Passive)
	if s.Public != "" {
		e.Str("public_address", s.Public)
	}
	e.Bool("sendfile", s.Sendfile)
	if s.Fingerprint != "" {
		e.Str("certificate_sha256", s.Fingerprint)
	}
	e.Stringer("sandbox", s.Layers)
	if len(s.Layers.Missing) > 0 {
		e.Strs("missing", s.Layers.Missing)
	}
	e.Msg("start")
}
