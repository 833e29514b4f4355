package core

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/internal/memnet"
)

// Every port of the range is found, however crowded it is, and no other one; then the answer is that all are busy.
func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local, client := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		p := &ports{network: &memnet.Network{}, all: config.PortRange{First: 65_400, Last: 65_535}}
		var taken []*passive
		seen := map[uint16]bool{}
		rising := 0
		for range p.all.Len() {
			got, err := p.Reserve(local, client)
			if err != nil {
				t.Fatal(err)
			}
			if got.port < p.all.First || seen[got.port] {
				t.Errorf("port %d", got.port)
			}
			if n := len(taken); n > 0 && got.port == taken[n-1].port+1 {
				rising++
			}
			seen[got.port] = true
			taken = append(taken, got)
		}
		if rising > p.all.Len()/2 {
			t.Error("ports can be guessed: they rise by one", rising, "times")
		}
		if _, err := p.Reserve(local, client); err == nil || !strings.Contains(err.Error(), "65400-65535 are busy") {
			t.Error(err)
		}
		taken[7].close()
		again, err := p.Reserve(local, client)
		if err != nil || again.port != taken[7].port {
			t.Error(again, err)
		}
		taken[7] = again
		for _, p := range taken {
			p.close()
		}
	})
}

// A port is not given out again while others are free that were not used for longer, and is where there is no other.
func TestReserveReusesNoneOfTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local, client := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for _, test := range []struct{ size, distance int }{{1, 0}, {2, 1}, {9, 4}, {50, 25}, {200, maxRecent}} {
			p := &ports{network: &memnet.Network{}, all: config.PortRange{First: 50_000, Last: 50_000 + uint16(test.size-1)}}
			last := map[uint16]int{}
			for i := range 20 * test.size {
				got, err := p.Reserve(local, client)
				if err != nil {
					t.Fatal(err)
				}
				if before, used := last[got.port]; used && i-before <= test.distance {
					t.Errorf("of %d ports, %d comes again after %d", test.size, got.port, i-before)
				}
				last[got.port] = i
				got.close()
			}
			if len(last) != test.size {
				t.Errorf("of %d ports only %d are used", test.size, len(last))
			}
		}
	})
}

func TestPortsByDefault(t *testing.T) {
	c := config.Default()
	for _, test := range []struct{ configured, system, want config.PortRange }{
		{config.PortRange{}, config.PortRange{}, config.PortRange{First: 32768, Last: 60999}},
		{config.PortRange{}, config.PortRange{First: 1, Last: 2}, config.PortRange{First: 1, Last: 2}},
		{config.PortRange{First: 3, Last: 4}, config.PortRange{First: 1, Last: 2}, config.PortRange{First: 3, Last: 4}},
	} {
		c.Data.PassivePorts = test.configured
		if got := newPorts(Options{Config: c, Ports: test.system}).all; got != test.want {
			t.Errorf("%v and %v make %v", test.configured, test.system, got)
		}
	}
}

// A fullConn takes nothing, and what it holds becomes less for as many looks.
type fullConn struct {
	*memnet.Conn
	looks int
}

func (c *fullConn) Unacknowledged() int {
	c.looks = max(0, c.looks-1)
	return c.looks
}

// A client that is so slow that its socket takes nothing for longer than limits.stall_timeout has not stalled while bytes reach it.
func TestSlowIsNotStalled(t *testing.T) {
	for looks, want := range map[int]time.Duration{0: 8 * time.Second, 20: (20 + 8) * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			server, client := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
			if _, err := server.Write(make([]byte, memnet.WindowSize)); err != nil {
				t.Fatal(err)
			}
			d := dataConn{conn: &fullConn{Conn: server, looks: looks}, stall: 8 * time.Second}
			began := time.Now()
			if err := d.write(t.Context(), []byte("more")); !errors.Is(err, errStalled) {
				t.Error(err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("with %d looks it is stalled after %v, not %v", looks, took, want)
			}
			server.Close()
			client.Close()
		})
	}
}

// A session waits for the end of one refused upload at a time, however many its client makes.
func TestOneRefusedUploadParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Session{}
		first, client := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
		second, other := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
		s.partFrom(first)
		s.partFrom(second)
		synctest.Wait()
		if _, err := client.Write([]byte("more")); err == nil {
			t.Error("the first connection is still read")
		}
		if _, err := other.Write([]byte("more")); err != nil {
			t.Error("the second connection takes no more:", err)
		}
		other.Close()
		client.Close()
	})
}
