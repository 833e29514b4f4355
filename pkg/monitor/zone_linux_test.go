package monitor

import (
	"net/netip"
	"testing"
)

// An address of a core keeps the zone of an interface of this host, by name or number, and no other
// text.
func TestCheckedZone(t *testing.T) {
	for address, want := range map[string]string{
		"fe80::1%lo": "fe80::1%lo", "fe80::1%1": "fe80::1%1", "fe80::1": "fe80::1",
		"fe80::1%ftpdtest-none": "fe80::1", "fe80::1%999999": "fe80::1", "fe80::1%-1": "fe80::1",
		"fe80::1%\x1b[2J": "fe80::1", "192.0.2.1": "192.0.2.1",
	} {
		if got := checkedZone(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%q became %v, want %s", address, got, want)
		}
	}
}
