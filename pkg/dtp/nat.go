package dtp

import (
	"maps"
	"net/netip"
	"sync"

	"ftpd/pkg/config"
)

// PublicAddresses has the addresses that PASV's replies name ([nat] in the configuration). Another
// process resolves host names and reports their addresses. It may be used by several goroutines.
type PublicAddresses struct {
	nat *config.NAT // immutable

	mu    sync.Mutex
	found map[string]netip.Addr // by host name; guarded by mu
}

// NewPublicAddresses returns the addresses for a configuration. found has the addresses of the host
// names that are resolved already.
func NewPublicAddresses(nat *config.NAT, found map[string]netip.Addr) *PublicAddresses {
	return &PublicAddresses{nat: nat, found: maps.Clone(found)}
}

// For returns the address for a client that has connected to local. A name that is not resolved yet
// stands for local: many clients then connect to the control connection's address.
func (p *PublicAddresses) For(local, client netip.Addr) netip.Addr {
	text := p.nat.For(local, client)
	if text == "" {
		return local
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if addr, ok := p.found[text]; ok {
		return addr
	}
	return local
}

// Set sets the address of a host name.
func (p *PublicAddresses) Set(name string, addr netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		p.found = map[string]netip.Addr{}
	}
	p.found[name] = addr.Unmap()
}
