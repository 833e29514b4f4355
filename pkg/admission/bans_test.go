package admission

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
)

var stranger = netip.MustParseAddr("192.0.2.1")

func testBans() *Bans {
	rules := config.Default().Ban
	rules.Failures, rules.AddressFailures, rules.CommandsPerSecond = 3, 5, 100
	return NewBans(rules)
}

// A ban of an address together with a user name bans no other pair. When the ban is over, counting
// begins anew.
func TestBanOfAPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBans()
		for range 2 {
			if begun := b.Failed(stranger, "alice"); len(begun) != 0 {
				t.Fatalf("too early: %v", begun)
			}
		}
		begun := b.Failed(stranger, "alice")
		if len(begun) != 1 || begun[0].User != "alice" || begun[0].Client.String() != "192.0.2.1/32" {
			t.Fatalf("the third failure: %v", begun)
		}
		if why := b.Cause(stranger, "alice"); !strings.Contains(why, "ban.failures = 3") {
			t.Errorf("alice: %q", why)
		}
		neighbour := netip.MustParseAddr("192.0.2.2")
		for _, free := range []string{
			b.Cause(stranger, "bob"), b.Cause(stranger, ""), b.Cause(neighbour, "alice"),
		} {
			if free != "" {
				t.Errorf("others: %q", free)
			}
		}
		time.Sleep(time.Duration(b.rules.Duration))
		if why := b.Cause(stranger, "alice"); why != "" {
			t.Errorf("after the end of the ban: %q", why)
		}
		if begun := b.Failed(stranger, "alice"); len(begun) != 0 {
			t.Errorf("the first failure after the ban: %v", begun)
		}
	})
}

// Failures with many names from one address ban the address. All addresses of an IPv6 /64 count as
// one.
func TestBanOfAnAddress(t *testing.T) {
	b := testBans()
	var begun []Ban
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		addr := netip.MustParseAddr("2001:db8::1").As16()
		addr[15] = byte(i)
		begun = b.Failed(netip.AddrFrom16(addr), name)
	}
	if len(begun) != 1 || begun[0].User != "" || begun[0].Client.String() != "2001:db8::/64" {
		t.Fatalf("begun: %v", begun)
	}
	if b.Cause(netip.MustParseAddr("2001:db8::ffff"), "") == "" ||
		b.Cause(netip.MustParseAddr("2001:db8:1::1"), "") != "" {
		t.Error("the ban does not cover exactly the /64")
	}
	if all := b.List(); len(all) != 1 || all[0] != begun[0] {
		t.Errorf("list: %v", all)
	}
}

// Failures that lie more than ban.window apart do not add up. A login that succeeds deletes the
// failures before it.
func TestFailuresThatDoNotAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBans()
		for range 10 {
			if begun := b.Failed(stranger, "alice"); len(begun) != 0 {
				t.Fatal("failures of different windows were added")
			}
			time.Sleep(time.Duration(b.rules.Window) + 1)
		}
		for range 4 {
			b.Succeeded(stranger, "alice")
			if begun := b.Failed(stranger, "alice"); len(begun) != 0 {
				t.Fatal("a success did not delete the failures")
			}
		}
	})
}

// Exempt networks are never banned, and rules that are 0 ban nothing.
func TestExemptAndSwitchedOff(t *testing.T) {
	b := testBans()
	b.rules.Exempt = config.Networks{network(t, "127.0.0.0/8"), network(t, "::1/128")}
	local4, local6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	for range 1000 {
		if begun := append(b.Failed(local4, "alice"), b.Flooded(local6)...); len(begun) != 0 {
			t.Fatalf("an exempt network: %v", begun)
		}
	}
	b.rules.Exempt = append(b.rules.Exempt, network(t, "2001:db8::5/128"))
	spared := netip.MustParseAddr("2001:db8::5")
	for range 10 {
		b.Failed(spared, "alice")
	}
	if why := b.Cause(netip.MustParseAddr("2001:db8::6"), ""); why != "" {
		t.Errorf("beside an exempt address: %q", why)
	}
	for range 10 {
		b.Failed(netip.MustParseAddr("2001:db8::6"), "alice")
	}
	if why := b.Cause(spared, "alice"); why != "" {
		t.Errorf("an exempt address beside a banned one: %q", why)
	}
	minute := config.Duration(time.Minute)
	b = NewBans(config.Ban{Window: minute, Duration: minute})
	for range 1000 {
		if begun := append(b.Failed(stranger, "alice"), b.Flooded(stranger)...); len(begun) != 0 {
			t.Fatalf("rules that are off: %v", begun)
		}
	}
}

func network(t *testing.T, text string) (n config.Network) {
	t.Helper()
	if err := n.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBanOfAFlood(t *testing.T) {
	b := testBans()
	if begun := b.Flooded(stranger); len(begun) != 1 || b.Cause(stranger, "") == "" {
		t.Errorf("begun: %v", begun)
	}
	if begun := b.Flooded(stranger); len(begun) != 0 {
		t.Errorf("its other sessions: %v", begun)
	}
}

// A client is suspect after a failure, until that no longer counts. It is known while its last
// login has succeeded, but an anonymous one does not count.
func TestStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBans()
		want := func(what string, want auth.Standing) {
			t.Helper()
			if got := b.Standing(auth.Network(stranger)); got != want {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		want("at first", auth.Unknown)
		b.Succeeded(stranger, config.AnonymousUser)
		want("after an anonymous login", auth.Unknown)
		b.Failed(stranger, "x")
		want("after a failure", auth.Suspect)
		b.Succeeded(stranger, "y")
		want("after a login", auth.Known)
		b.Failed(stranger, "x")
		want("after one more failure", auth.Suspect)
		time.Sleep(time.Duration(b.rules.Window) + time.Duration(b.rules.Duration))
		want("long afterwards", auth.Unknown)
		b.Succeeded(stranger, "y")
		time.Sleep(time.Duration(b.rules.Window) + time.Duration(b.rules.Duration))
		want("long after a login", auth.Known)
		for i := range uint32(4 * maxRecent) {
			b.Succeeded(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 10<<24+i))), "y")
		}
		want("after logins from many other clients", auth.Unknown)
		if n := len(b.succeeded.newer) + len(b.succeeded.older); n > 2*maxRecent {
			t.Errorf("%d clients are remembered", n)
		}
	})
}

// Any number of addresses takes bounded memory, and ends no ban.
func TestBansAreBounded(t *testing.T) {
	b := testBans()
	for range 5 {
		b.Failed(stranger, strings.Repeat("x", 4096))
	}
	var addr [4]byte
	for i := range uint32(4 * maxOffenders) {
		binary.BigEndian.PutUint32(addr[:], 10<<24+i)
		b.Failed(netip.AddrFrom4(addr), "root")
	}
	if n := len(b.known); n > maxOffenders {
		t.Errorf("%d records, want at most %d", n, maxOffenders)
	}
	if b.Cause(stranger, "") == "" {
		t.Error("the ban was evicted")
	}
}
