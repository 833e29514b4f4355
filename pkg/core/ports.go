package core

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

// ports gives out passive ports.
type ports struct {
	network transport.Network
	all     config.PortRange
	patient time.Duration // limits.connect_timeout; 0 is for ever
	foreign config.Networks
	active  uint16          // data.active_port, on which nobody may listen
	proxies config.Networks // of balancers, whose connections begin with a header

	mu     sync.Mutex
	recent []uint16 // given out last, the oldest first; guarded by mu
}

func newPorts(o Options) *ports {
	p := &ports{network: o.Network, all: o.Config.Data.PassivePorts, patient: time.Duration(o.Config.Limits.ConnectTimeout),
		foreign: o.Config.Data.ForeignNetworks, proxies: o.Config.Server.ProxyProtocolFrom,
		active: uint16(o.Config.Data.ActivePort)}
	if p.network == nil {
		p.network = transport.TCP
	}
	if p.all == (config.PortRange{}) {
		p.all = o.Ports
	}
	if p.all == (config.PortRange{}) {
		p.all = config.PortRange{First: 32768, Last: 60999}
	}
	return p
}

const (
	randomTries = 32 // are made before a crowded range is walked through
	maxRecent   = 64 // ports are kept from being given out again at once
)

// Reserve listens on a port of the range at local, an address of this host, and accepts client's connection in the background. Ports
// are taken at random: a port that can be guessed is a data connection that can be stolen (RFC 2577 §8). The system never chooses (port
// 0): it passes over each port that some earlier transfer has left in TIME_WAIT, slower with each one.
func (p *ports) Reserve(local, client netip.Addr) (*passive, error) {
	for port := range p.candidates() {
		l, err := p.network.Listen(netip.AddrPortFrom(local, port))
		if errors.Is(err, transport.ErrPortBusy) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listen on port %d of %s: %w", port, local, err)
		}
		p.gave(port)
		return newPassive(l, port, client, p), nil
	}
	return nil, fmt.Errorf("all passive ports of %s are busy", p.all)
}

// candidates are ports to try: some at random, then each one of the range. Those that were given out last come at the end, the oldest
// first: a client that is late, or a firewall that still remembers its connection, would meet another transfer there.
func (p *ports) candidates() iter.Seq[uint16] {
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
			if port := p.all.First + uint16(offset); port != p.active && !slices.Contains(recent, port) && !yield(port) {
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

// gave remembers a port that was given out. In a narrow range half of the ports stay to choose from.
func (p *ports) gave(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent = slices.DeleteFunc(p.recent, func(r uint16) bool { return r == port })
	if p.recent = append(p.recent, port); len(p.recent) > min(maxRecent, p.all.Len()/2) {
		p.recent = slices.Delete(p.recent, 0, 1)
	}
}
