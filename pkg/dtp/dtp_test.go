package dtp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/internal/memnet"
	"ftpd/pkg/transport"
)

var (
	local  = netip.MustParseAddr("192.0.2.1")
	client = netip.MustParseAddr("192.0.2.2")
)

// Every port of the range is found, however few are free, and no other one; then the error is that
// all are busy.
func TestPassivePorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Ports{
			network: &memnet.Network{}, all: config.PortRange{First: 65_400, Last: 65_535},
		}
		var taken []*Passive
		seen := map[uint16]bool{}
		rising := 0
		for range p.all.Len() {
			got, err := p.Passive(local, client)
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
		_, err := p.Passive(local, client)
		if err == nil || !strings.Contains(err.Error(), "65400-65535 are busy") {
			t.Error(err)
		}
		taken[7].Close()
		again, err := p.Passive(local, client)
		if err != nil || again.port != taken[7].port {
			t.Error(again, err)
		}
		taken[7] = again
		for _, p := range taken {
			p.Close()
		}
	})
}

// A port is not allocated again while others are free that were not used for longer, and is
// allocated again if there is no other.
func TestRecentPortsComeLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct{ size, distance int }{
			{1, 0}, {2, 1}, {9, 4}, {50, 25}, {200, maxRecent},
		} {
			all := config.PortRange{First: 50_000, Last: 50_000 + uint16(test.size-1)}
			p := &Ports{network: &memnet.Network{}, all: all}
			last := map[uint16]int{}
			for i := range 20 * test.size {
				got, err := p.Passive(local, client)
				if err != nil {
					t.Fatal(err)
				}
				if before, used := last[got.port]; used && i-before <= test.distance {
					t.Errorf("of %d ports, %d comes again after %d",
						test.size, got.port, i-before)
				}
				last[got.port] = i
				got.Close()
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
		{config.PortRange{}, config.PortRange{First: 1, Last: 2},
			config.PortRange{First: 1, Last: 2}},
		{config.PortRange{First: 3, Last: 4}, config.PortRange{First: 1, Last: 2},
			config.PortRange{First: 3, Last: 4}},
	} {
		c.Data.PassivePorts = test.configured
		if got := NewPorts(c, nil, test.system).all; got != test.want {
			t.Errorf("%v and %v make %v", test.configured, test.system, got)
		}
	}
}

// opened returns an open Conn and the client's end of it.
func opened(t *testing.T, o Options) (*Conn, *memnet.Conn) {
	t.Helper()
	server, client := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
	o.Blocks = &transport.Blocks{}
	c := &Conn{Options: o}
	if err := c.Open(t.Context(), opener{server}); err != nil {
		t.Fatal(err)
	}
	return c, client
}

// An opener has a connection already.
type opener struct{ conn transport.Conn }

func (o opener) Open(context.Context) (transport.Conn, error) { return o.conn, nil }
func (opener) Claim() error                                   { return nil }
func (opener) Refuse(bool)                                    {}
func (opener) Close()                                         {}

// A fullConn takes no bytes, and its buffer becomes smaller at each of so many checks.
type fullConn struct {
	*memnet.Conn
	checks int
}

func (c *fullConn) Unacknowledged() int {
	c.checks = max(0, c.checks-1)
	return c.checks
}

// A client is slow, not stalled, as long as bytes reach it, even if its socket takes no bytes for
// longer than the stall time.
func TestSlowIsNotStalled(t *testing.T) {
	for checks, want := range map[int]time.Duration{
		0: 8 * time.Second, 20: (20 + 8) * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			server, client := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
			if _, err := server.Write(make([]byte, memnet.WindowSize)); err != nil {
				t.Fatal(err)
			}
			c := Conn{Options: Options{Stall: 8 * time.Second}}
			c.Open(t.Context(), opener{&fullConn{Conn: server, checks: checks}})
			began := time.Now()
			if err := c.Write(t.Context(), []byte("more")); !errors.Is(err, ErrStalled) {
				t.Error(err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("with %d checks it is stalled after %v, not %v", checks, took, want)
			}
			server.Close()
			client.Close()
		})
	}
}

// A Conn without a stall time waits without a bound, until an Interrupt gives it one.
func TestInterruptBoundsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := opened(t, Options{})
		time.AfterFunc(time.Hour, c.Interrupt)
		began := time.Now()
		var got bytes.Buffer
		if err := c.receive(t.Context(), &got); !errors.Is(err, ErrStalled) {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Hour+unattendedStall {
			t.Error("it is stalled after", took)
		}
		c.Close()
		client.Close()
	})
}

// The end of the context ends a transfer with its cause, after an Interrupt.
func TestContextEndsTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := opened(t, Options{Stall: time.Minute})
		cause := errors.New("aborted")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer context.AfterFunc(ctx, c.Interrupt)()
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if err := c.Send(ctx, zeros{}); err != cause {
			t.Error(err)
		}
		if c.Moved() != memnet.WindowSize {
			t.Errorf("%d bytes have moved", c.Moved())
		}
		c.Close()
		client.Close()
	})
}

// zeros is a file without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Only a FIN ends an upload; a reset is a ConnError.
func TestReceiveEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end func(*memnet.Conn)
		ok  bool
	}{
		"FIN":   {func(c *memnet.Conn) { c.CloseWrite() }, true},
		"reset": {func(c *memnet.Conn) { c.Reset() }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := opened(t, Options{})
			var got bytes.Buffer
			client.Write([]byte("content"))
			time.AfterFunc(time.Second, func() { test.end(client) })
			err := c.receive(t.Context(), &got)
			_, failed := errors.AsType[*ConnError](err)
			if test.ok && err != nil || !test.ok && !failed {
				t.Errorf("%s: %v", name, err)
			}
			if got.String() != "content" || c.Moved() != 7 {
				t.Errorf("%s: %q, %d bytes", name, &got, c.Moved())
			}
			c.Finish()
			client.Close()
		})
	}
}

// A Farewell waits for one connection at a time, however many uploads are refused.
func TestFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Farewell
		first, client := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
		second, other := memnet.Pipe(netip.AddrPort{}, netip.AddrPort{})
		f.Begin(first)
		f.Begin(second)
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

// A connection in the client's place is turned away, and the reason names it.
func TestStrangerIsTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config.Default()
		c.Data.PassivePorts = config.PortRange{First: 50_000, Last: 50_000}
		c.Limits.ConnectTimeout = config.Duration(time.Minute)
		network := &memnet.Network{}
		p, err := NewPorts(c, network, config.PortRange{}).Passive(local, client)
		if err != nil {
			t.Fatal(err)
		}
		at := netip.AddrPortFrom(local, p.Port())
		stranger, err := network.Connect(netip.MustParseAddrPort("203.0.113.5:999"), at)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Claim(); err != nil {
			t.Error(err)
		}
		_, err = p.Open(t.Context())
		e, ok := errors.AsType[*OpenError](err)
		if !ok || e.Reason != NoClient || !strings.Contains(err.Error(), "203.0.113.5 was") {
			t.Error(err)
		}
		if network.Listeners() != 0 {
			t.Error("the port is still open")
		}
		stranger.Close()
	})
}

// A connection serves the transfer after a refused one. What has arrived on it, or its end, belongs
// to the refused transfer: then no transfer gets the connection.
func TestRefusedTransferLeavesItsConnection(t *testing.T) {
	c := config.Default()
	ip := netip.MustParseAddr("127.0.0.1")
	for name, arrives := range map[string]func(*net.TCPConn) error{
		"nothing": func(*net.TCPConn) error { return nil },
		"a byte":  func(d *net.TCPConn) error { _, err := d.Write([]byte("x")); return err },
		"a FIN":   (*net.TCPConn).CloseWrite,
		"an end":  (*net.TCPConn).Close,
		"a reset": func(d *net.TCPConn) error { d.SetLinger(0); return d.Close() },
	} {
		for _, early := range []bool{true, false} {
			p, err := NewPorts(c, nil, config.PortRange{}).Passive(ip, ip)
			if err != nil {
				t.Fatal(err)
			}
			d, err := net.DialTCP("tcp", nil,
				net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, p.Port())))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			<-p.done
			if early {
				arrives(d)
			}
			p.Refuse(false)
			p.mu.Lock()
			decided := p.refused.decided
			p.mu.Unlock()
			if !early {
				arrives(d)
			}
			if name != "nothing" {
				<-decided
			}
			err = p.Claim()
			e, ok := errors.AsType[*OpenError](err)
			if spent := ok && e.Reason == Spent; spent != (name != "nothing") {
				t.Errorf("after %s (early: %v): %v", name, early, err)
			}
			p.Close()
		}
	}
}

// An Active reports a port that refuses, and waits no longer than limits.connect_timeout.
func TestActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := config.Default()
		c.Limits.ConnectTimeout = config.Duration(time.Minute)
		ports := NewPorts(c, &memnet.Network{}, config.PortRange{})
		for port, want := range map[uint16]time.Duration{5000: 0, 9999: time.Minute} {
			began := time.Now()
			a := ports.Active(local, netip.AddrPortFrom(client, port),
				func(context.Context, netip.Addr, netip.AddrPort) (*os.File, error) { return nil, errors.ErrUnsupported })
			_, err := a.Open(t.Context())
			e, ok := errors.AsType[*OpenError](err)
			if took := time.Since(began); !ok || e.Reason != NoConnect || took != want {
				t.Errorf("port %d: %v after %v", port, err, took)
			}
		}
	})
}

func TestPublicAddresses(t *testing.T) {
	found := map[string]netip.Addr{"ftp.example.org": netip.MustParseAddr("198.51.100.1")}
	for text, want := range map[string]string{
		"":                "192.0.2.1",
		"203.0.113.9":     "203.0.113.9",
		"ftp.example.org": "198.51.100.1",
		"new.example.org": "192.0.2.1",
	} {
		p := NewPublicAddresses(&config.NAT{PublicAddress: text}, found)
		if got := p.For(local, client); got.String() != want {
			t.Errorf("%q is %v, not %s", text, got, want)
		}
	}
	p := NewPublicAddresses(&config.NAT{PublicAddress: "new.example.org"}, nil)
	p.Set("new.example.org", netip.MustParseAddr("::ffff:198.51.100.7"))
	if got := p.For(local, client); got.String() != "198.51.100.7" {
		t.Error(got)
	}
}

// Hosts of two links may have one link-local address, and only one of them is the client.
func TestPassivePeersHaveZones(t *testing.T) {
	linkLocal := netip.MustParseAddr("fe80::1%eth0")
	p := &Passive{client: linkLocal, ports: &Ports{}}
	for peer, allowed := range map[netip.Addr]bool{
		linkLocal: true, linkLocal.WithZone("eth1"): false, linkLocal.WithZone(""): false,
	} {
		if p.allows(peer) != allowed {
			t.Errorf("%v is allowed: %v", peer, !allowed)
		}
	}
	p.ports.foreign = config.Networks{{Prefix: netip.MustParsePrefix("fe80::/64")}}
	if !p.allows(linkLocal.WithZone("eth1")) {
		t.Error("data.foreign_networks has no zones, but a peer in it is refused")
	}
}
