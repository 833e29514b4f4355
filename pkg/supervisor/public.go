package supervisor

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

const (
	nameInterval = time.Minute     // between two looks at a name
	nameRetry    = 5 * time.Second // after one that found nothing
	nameTimeout  = 5 * time.Second // of one look
)

// A publicNames looks up the host names that PASV's replies need, apart from everything else: no session waits for a name server.
type publicNames struct {
	log     zerolog.Logger
	names   []string
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	changed chan monitor.FoundName // what run has found; nobody else sends

	mu    sync.Mutex
	found map[string]netip.Addr // by name; guarded by mu
	lost  map[string]bool       // the last look found nothing; owned by whoever looks
}

// newPublicNames looks up the names of the configuration for the first time.
func newPublicNames(ctx context.Context, o Options) *publicNames {
	n := &publicNames{log: o.Log, names: o.Config.NAT.Names(), lookup: net.DefaultResolver.LookupNetIP, changed: make(chan monitor.FoundName),
		found: map[string]netip.Addr{}, lost: map[string]bool{}}
	n.look(ctx)
	return n
}

// addresses are the names that were found.
func (n *publicNames) addresses() map[string]netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.found)
}

// run looks again and again, and sends what has changed, until ctx ends.
func (n *publicNames) run(ctx context.Context) {
	if len(n.names) == 0 {
		return
	}
	for {
		pause := nameInterval
		if len(n.lost) > 0 {
			pause = nameRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		for _, f := range n.look(ctx) {
			select {
			case <-ctx.Done():
				return
			case n.changed <- f:
			}
		}
	}
}

// look looks up every name, all at the same time, and returns those whose address is another one than before.
func (n *publicNames) look(ctx context.Context) (changed []monitor.FoundName) {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	answers := make([]netip.Addr, len(n.names))
	failures := make([]error, len(n.names))
	var looks sync.WaitGroup
	for i, name := range n.names {
		looks.Go(func() { answers[i], failures[i] = n.one(ctx, name) }) // ends at the timeout
	}
	looks.Wait()
	for i, name := range n.names {
		if err := failures[i]; err != nil {
			n.miss(name, err)
			continue
		}
		delete(n.lost, name)
		if n.keep(name, answers[i]) {
			n.log.Info().Str("host", name).Str("public_address", answers[i].String()).Msg("public address")
			changed = append(changed, monitor.FoundName{Name: name, Address: answers[i]})
		}
	}
	return changed
}

var errUnusable = errors.New("no client can connect to that address")

// one is an address of the name: the one that was found before, if it is among them, so that a name with several does not change its mind.
func (n *publicNames) one(ctx context.Context, name string) (netip.Addr, error) {
	all, err := n.lookup(ctx, "ip4", name)
	if err != nil {
		return netip.Addr{}, err
	}
	n.mu.Lock()
	before := n.found[name]
	n.mu.Unlock()
	best := netip.Addr{}
	for _, a := range all {
		a = a.Unmap()
		switch {
		case !a.Is4() || a.IsUnspecified() || a.IsMulticast():
		case a == before:
			return a, nil
		case !best.IsValid() || a.Less(best):
			best = a
		}
	}
	if !best.IsValid() {
		return best, errUnusable
	}
	return best, nil
}

// keep says whether the address is a new one.
func (n *publicNames) keep(name string, addr netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.found[name] == addr {
		return false
	}
	n.found[name] = addr
	return true
}

// miss warns, once, of a name that was not found.
func (n *publicNames) miss(name string, err error) {
	if n.lost[name] {
		return
	}
	n.lost[name] = true
	w := n.log.Warn().Str("host", name).Err(err)
	if last, ok := n.addresses()[name]; ok {
		w.Str("public_address", last.String()).Msg("the public address cannot be looked up: the last one stays")
	} else {
		w.Msg("the public address cannot be looked up: PASV names the local one")
	}
}

// warnPrivate warns when a client from outside would be told an address in PASV that it cannot connect to: when each address that the
// service listens on has such a one.
func warnPrivate(o Options, listeners []net.Listener, found map[string]netip.Addr) {
	if told := privateOnly(o.Config, listening(listeners), found); len(told) > 0 {
		o.Log.Warn().Strs("addresses", told).Msg("PASV names a private address: clients from outside cannot connect to it; set nat.public_address")
	}
}

// privateOnly is what PASV would name to clients from outside, when nothing of it means anything to the internet.
func privateOnly(c *config.Config, local []netip.Addr, found map[string]netip.Addr) (told []string) {
	everybody := func(n config.Network) bool { return n.Bits() == 0 && n.Addr().Is4() }
	if !c.Data.Passive || slices.ContainsFunc(c.NAT.LocalNetworks, everybody) {
		return nil
	}
	for _, addr := range local {
		public := c.NAT.For(addr, netip.Addr{})
		named, err := netip.ParseAddr(public)
		switch {
		case public == "":
			named = addr
		case err != nil:
			if named = found[public]; !named.IsValid() {
				continue // that is told
			}
		}
		if !config.IsPrivate(named) {
			return nil
		}
		if text := named.Unmap().String(); !slices.Contains(told, text) {
			told = append(told, text)
		}
	}
	return told
}

// listening are the IPv4 addresses that the listeners are bound to, but for those that nobody outside comes to. One that is bound to every
// address has all of the host's.
func listening(listeners []net.Listener) (all []netip.Addr) {
	take := func(a netip.Addr) {
		if a = a.Unmap(); a.Is4() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	for _, l := range listeners {
		bound := l.Addr().(*net.TCPAddr).AddrPort().Addr()
		if !bound.IsUnspecified() {
			take(bound)
			continue
		}
		own, _ := net.InterfaceAddrs()
		for _, a := range own {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				take(p.Addr())
			}
		}
	}
	return all
}
