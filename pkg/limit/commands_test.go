package limit

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// The commands of one client network count together, from the first one for a second, and a
// network that sends nothing more is forgotten.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Commands
		add := func(client string, commands, want int) {
			t.Helper()
			if got := c.Add(netip.MustParseAddr(client), commands); got != want {
				t.Errorf("%s has sent %d commands, not %d", client, got, want)
			}
		}
		add("192.0.2.1", 3, 3)
		add("192.0.2.1", 2, 5)
		add("192.0.2.2", 1, 1)
		add("2001:db8::1", 1, 1)
		add("2001:db8::ffff:2", 1, 2) // the same network of 64 bits
		time.Sleep(999 * time.Millisecond)
		add("192.0.2.1", 1, 6)
		time.Sleep(time.Millisecond)
		add("192.0.2.1", 1, 1)
		time.Sleep(2 * time.Second)
		add("192.0.2.3", 1, 1)
		if len(c.clients) != 1 {
			t.Errorf("%d networks are kept", len(c.clients))
		}
	})
}
