package dtp

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/transport"
)

// Ports makes the Openers of a server and allocates its passive ports. It may be used by several
// goroutines.
type Ports struct {
	network transport.Network
	all     config.PortRange
	wait    time.Duration // limits.connect_timeout; 0 is without a bound
	foreign config.Networks
	active  uint16          // data.active_port, which is never a passive port
	proxies config.Networks // load balancers; their connections begin with a header

	mu     sync.Mutex
	recent []uint16 // allocated last, the oldest first; guarded by mu
}

// NewPorts returns the Ports of a server. A nil network is transport.TCP. If data.passive_ports is
// not set, passive ports are taken from the ephemeral ports of the system; the zero range stands
// for 32768-60999.
func NewPorts(c *config.Config, network transport.Network, ephemeral config.PortRange) *Ports {
	p := &Ports{
		network: network,
		all:     c.Data.PassivePorts,
		wait:    time.Duration(c.Limits.ConnectTimeout),
		foreign: c.Data.ForeignNetworks,
		proxies: c.Server.ProxyProtocolFrom,
		active:  uint16(c.Data.ActivePort),
	}
	if p.network == nil {
		p.network = transport.TCP
	}
	if p.all == (config.PortRange{}) {
		p.all = ephemeral
	}
	if p.all == (config.PortRange{}) {
		p.all = config.PortRange{First: 32768, Last: 60999}
	}
	return p
}

const (
	randomTries = 32 // ports that are tried at random before the range is tried in order
	maxRecent   = 64 // ports that are not allocated again at once
)

// Passive listens on a port of the range at local, an address of this host, and accepts client's
// connection in the background. Ports are chosen at random, because a port that can be guessed is a
// data connection that can be stolen (RFC 2577 §8). The system does not choose (port 0), because it
// passes over every port in TIME_WAIT and becomes slower with each of them.
func (p *Ports) Passive(local, client netip.Addr) (*Passive, error) {
	for port := range p.candidates() {
		l, err := p.network.Listen(netip.AddrPortFrom(local, port))
		if errors.Is(err, transport.ErrPortBusy) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listen on port %d of %s: %w", port, local, err)
		}
		p.allocated(port)
		return newPassive(l, port, client, p), nil
	}
	return nil, fmt.Errorf("all passive ports of %s are busy", p.all)
}

// candidates returns the ports to try: some at random, then all of the range. Those that were
// allocated last are at the end, the oldest first, because a late client, or a firewall that still
// has an entry for an earlier connection, would meet another transfer there.
func (p *Ports) candidates() iter.Seq[uint16] {
	p.mu.Lock()
	recent := slices.Clone(p.recent)
	p.mu.Unlock()
	size := p.all.Len()
	start := rand.IntN(size)
	return func(yield func(uint16) bool) {
		for i := range randomTries + size {
			offset := (start + i) % size
			if i < randomTries {
				offset = rand.IntN(size)
			}
			port := p.all.First + uint16(offset)
			if port != p.active && !slices.Contains(recent, port) && !yield(port) {
				return
			}
		}
		for _, port := range recent {
			if !yield(port) {
				return
			}
		}
	}
}

// allocated records a port. In a narrow range half of the ports stay available.
func (p *Ports) allocated(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent = slices.DeleteFunc(p.recent, func(r uint16) bool { return r == port })
	if p.recent = append(p.recent, port); len(p.recent) > min(maxRecent, p.all.Len()/2) {
		p.recent = slices.Delete(p.recent, 0, 1)
	}
}
