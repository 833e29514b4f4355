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
	nameInterval = time.Minute     // between two lookups of a name
	nameRetry    = 5 * time.Second // after a lookup that found nothing
	nameTimeout  = 5 * time.Second // of one lookup
)

// A publicNames looks up the host names that the replies to PASV need. It does so in its own
// goroutine, so that no session waits for a name server.
type publicNames struct {
	log     zerolog.Logger
	names   []string
	lookup  func(ctx context.Context, network, host string) ([]netip.Addr, error)
	changed chan monitor.FoundName // names with new addresses; only run sends

	mu    sync.Mutex
	found map[string]netip.Addr // by name; guarded by mu
	lost  map[string]bool       // names that the last look did not find; owned by look
}

// newPublicNames looks up the names of the configuration for the first time.
func newPublicNames(ctx context.Context, o Options) *publicNames {
	n := &publicNames{
		log:     o.Log,
		names:   o.Config.NAT.Names(),
		lookup:  net.DefaultResolver.LookupNetIP,
		changed: make(chan monitor.FoundName),
		found:   map[string]netip.Addr{},
		lost:    map[string]bool{},
	}
	n.look(ctx)
	return n
}

// addresses returns the addresses that were found, by name.
func (n *publicNames) addresses() map[string]netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.found)
}

// run calls look again and again, and sends the names that have new addresses, until ctx ends.
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

// look looks up all names at the same time. It returns the names that have new addresses.
func (n *publicNames) look(ctx context.Context) (changed []monitor.FoundName) {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	answers := make([]netip.Addr, len(n.names))
	failures := make([]error, len(n.names))
	var looks sync.WaitGroup
	for i, name := range n.names {
		looks.Go(func() { // ends at the timeout
			answers[i], failures[i] = n.one(ctx, name)
		})
	}
	looks.Wait()
	for i, name := range n.names {
		if err := failures[i]; err != nil {
			n.miss(name, err)
			continue
		}
		delete(n.lost, name)
		if n.keep(name, answers[i]) {
			n.log.Info().Str("host", name).
				Str("public_address", answers[i].String()).Msg("public address")
			changed = append(changed, monitor.FoundName{Name: name, Address: answers[i]})
		}
	}
	return changed
}

var errUnusable = errors.New("no client can connect to that address")

// one returns an address of the name. If the address that was found before is among several, it
// returns that address again.
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

// keep stores the address of a name. It reports whether the address has changed.
func (n *publicNames) keep(name string, addr netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.found[name] == addr {
		return false
	}
	n.found[name] = addr
	return true
}

// miss warns that a name was not found, unless the lookup before has failed as well.
func (n *publicNames) miss(name string, err error) {
	if n.lost[name] {
		return
	}
	n.lost[name] = true
	w := n.log.Warn().Str("host", name).Err(err)
	if last, ok := n.addresses()[name]; ok {
		w.Str("public_address", last.String()).
			Msg("the public address cannot be looked up: the last one stays")
	} else {
		w.Msg("the public address cannot be looked up: PASV names the local one")
	}
}

// warnPrivate warns if the replies to PASV name only addresses to which clients on the internet
// cannot connect, on whichever address of the service they arrive.
func warnPrivate(o Options, listeners []net.Listener, found map[string]netip.Addr) {
	if named := privateOnly(o.Config, listening(listeners), found); len(named) > 0 {
		o.Log.Warn().Strs("addresses", named).Msg("PASV names a private address: " +
			"clients from outside cannot connect to it; set nat.public_address")
	}
}

// privateOnly returns the addresses that replies to PASV name to clients on the internet, if all of
// them are private.
func privateOnly(
	c *config.Config, local []netip.Addr, found map[string]netip.Addr,
) (private []string) {
	hasAll := func(n config.Network) bool { return n.Bits() == 0 && n.Addr().Is4() }
	if !c.Data.Passive || slices.ContainsFunc(c.NAT.LocalNetworks, hasAll) {
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
				continue // miss has warned of it
			}
		}
		if !config.IsPrivate(named) {
			return nil
		}
		if text := named.Unmap().String(); !slices.Contains(private, text) {
			private = append(private, text)
		}
	}
	return private
}

// listening returns the IPv4 addresses that the listeners are bound to, without loopback and
// link-local addresses, to which no client from outside can connect. For a listener that is bound
// to every address, these are all addresses of the host.
func listening(listeners []net.Listener) (all []netip.Addr) {
	add := func(a netip.Addr) {
		a = a.Unmap()
		reachable := a.Is4() && !a.IsLoopback() && !a.IsLinkLocalUnicast()
		if reachable && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	for _, l := range listeners {
		bound := l.Addr().(*net.TCPAddr).AddrPort().Addr()
		if !bound.IsUnspecified() {
			add(bound)
			continue
		}
		interfaces, _ := net.InterfaceAddrs()
		for _, a := range interfaces {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				add(p.Addr())
			}
		}
	}
	return all
}
