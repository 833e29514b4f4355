package supervisor

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

// A nameServer answers with the addresses that the test has set.
type nameServer struct {
	mu      sync.Mutex
	answers map[string][]string // by name; without addresses, the lookup fails
}

func (s *nameServer) set(name string, addresses ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[name] = addresses
}

func (s *nameServer) lookup(_ context.Context, network, host string) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if network != "ip4" || len(s.answers[host]) == 0 {
		return nil, errors.New("no such host")
	}
	var all []netip.Addr
	for _, a := range s.answers[host] {
		all = append(all, netip.MustParseAddr(a))
	}
	return all, nil
}

// A name is looked up again and again: after a few seconds where it was not found, each minute
// otherwise. An address stays in force as long as the name has it, and while lookups fail.
func TestPublicNamesAreLookedUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &nameServer{answers: map[string][]string{}}
		var log bytes.Buffer
		n := &publicNames{
			log:     zerolog.New(&log),
			names:   []string{"ftp.example.org"},
			lookup:  server.lookup,
			changed: make(chan monitor.FoundName),
			found:   map[string]netip.Addr{},
			lost:    map[string]bool{},
		}
		n.look(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		go n.run(ctx) // ends with ctx
		began := time.Now()
		next := func(want string, after time.Duration) {
			t.Helper()
			f := <-n.changed
			if f.Name != "ftp.example.org" || f.Address.String() != want || time.Since(began) != after {
				t.Errorf("%v after %v; want %s after %v", f, time.Since(began), want, after)
			}
			began = time.Now()
			synctest.Wait()
		}
		server.set("ftp.example.org", "0.0.0.0", "203.0.113.8", "203.0.113.7")
		next("203.0.113.7", nameRetry)
		server.set("ftp.example.org", "203.0.113.1", "203.0.113.7") // includes the one in force
		time.Sleep(nameInterval)
		server.set("ftp.example.org") // lookups fail
		time.Sleep(nameInterval + nameRetry)
		synctest.Wait()
		if got := n.addresses()["ftp.example.org"].String(); got != "203.0.113.7" {
			t.Errorf("while lookups fail, the address is %s", got)
		}
		server.set("ftp.example.org", "198.51.100.1")
		next("198.51.100.1", 2*nameInterval+2*nameRetry)
		cancel()
		synctest.Wait()
		for _, want := range []string{
			"PASV names the local one", "the last one stays", `"public_address":"198.51.100.1"`,
		} {
			if n := strings.Count(log.String(), want); n != 1 {
				t.Errorf("the log has %q %d times, want once:\n%s", want, n, &log)
			}
		}
	})
}

func TestPrivateOnly(t *testing.T) {
	for _, test := range []struct {
		name, local, public, own, found, networks string
		want                                      string
	}{
		{"public host", "203.0.113.7", "", "", "", "", ""},
		{"one of two is public", "10.0.0.5 203.0.113.7", "", "", "", "", ""},
		{"private host", "10.0.0.5 172.16.0.1", "", "", "", "", "10.0.0.5 172.16.0.1"},
		{"CGNAT", "100.64.0.1", "", "", "", "", "100.64.0.1"},
		{"nowhere", "", "", "", "", "", ""},
		{"public address", "10.0.0.5", "203.0.113.7", "", "", "", ""},
		{"private public address", "10.0.0.5", "192.168.1.1", "", "", "", "192.168.1.1"},
		{"by local address", "10.0.0.5", "192.168.1.1", "203.0.113.7", "", "", ""},
		{"name", "10.0.0.5", "ftp.example.org", "", "203.0.113.7", "", ""},
		{"name of a private address", "10.0.0.5", "ftp.example.org", "", "10.0.0.5", "", "10.0.0.5"},
		{"name that was not found", "10.0.0.5", "ftp.example.org", "", "", "", ""},
		{"local networks are not outside", "10.0.0.5", "", "", "", "10.0.0.0/8", "10.0.0.5"},
		{"all networks are local", "10.0.0.5", "", "", "", "0.0.0.0/0", ""},
	} {
		c := config.Default()
		c.NAT.PublicAddress = test.public
		if test.own != "" {
			local := netip.MustParseAddr("10.0.0.5")
			c.NAT.PublicAddresses = map[netip.Addr]string{local: test.own}
		}
		if test.networks != "" {
			network := config.Network{Prefix: netip.MustParsePrefix(test.networks)}
			c.NAT.LocalNetworks = config.Networks{network}
		}
		found := map[string]netip.Addr{}
		if test.found != "" {
			found["ftp.example.org"] = netip.MustParseAddr(test.found)
		}
		var local []netip.Addr
		for _, a := range strings.Fields(test.local) {
			local = append(local, netip.MustParseAddr(a))
		}
		if got := privateOnly(c, local, found); !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("%s: %q, not %q", test.name, got, test.want)
		}
	}
}
