package core

import (
	"maps"
	"net/netip"
	"sync"

	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

// A publicAddresses tells which address PASV's replies name. Host names are looked up by the supervisor, which tells what it has found.
type publicAddresses struct {
	nat *config.NAT // immutable

	mu    sync.Mutex
	found map[string]netip.Addr // by host name; guarded by mu
}

func newPublicAddresses(o Options) *publicAddresses {
	return &publicAddresses{nat: &o.Config.NAT, found: maps.Clone(o.Public)}
}

// of is the address for a client that has come to local. A name that nobody could look up yet stands for the local one, with which many
// clients cope: they connect to where their control connection leads.
func (p *publicAddresses) of(local, client netip.Addr) netip.Addr {
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

// NameFound makes PASV's replies name another address from now on.
func (srv *Server) NameFound(f monitor.FoundName) {
	p := srv.public
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		p.found = map[string]netip.Addr{}
	}
	p.found[f.Name] = f.Address.Unmap()
}
