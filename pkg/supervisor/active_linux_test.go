package supervisor

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"ftpd/pkg/admission"
	"ftpd/pkg/config"
	"ftpd/pkg/monitor"
)

// A core gets connections to the client of a session and to foreign_networks, and to no port below
// 1024, whatever it requests.
func TestActiveSocket(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	at := func(addr string, port uint16) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr(addr), port)
	}
	c := config.Default()
	c.Data.ForeignNetworks = make(config.Networks, 1)
	if err := c.Data.ForeignNetworks[0].UnmarshalText([]byte("127.0.0.3")); err != nil {
		t.Fatal(err)
	}
	h := &handler{config: c, registry: admission.NewRegistry(c.Limits)}
	id, refused := h.registry.Take(at("127.0.0.1", 4000))
	if refused.Text != "" {
		t.Fatal(refused.Text)
	}
	for _, test := range []struct {
		session string
		to      netip.AddrPort
		want    string
	}{
		{id, at("127.0.0.1", port), ""},
		{id, at("127.0.0.2", port), "neither the client nor in data.foreign_networks"},
		{id, at("127.0.0.3", port), ""},
		{id, at("127.0.0.1", 1023), "allow_privileged_ports"},
		{id, at("127.0.0.1", 0), "allow_privileged_ports"},
		{id, netip.AddrPort{}, "neither the client"},
		{"unknown", at("127.0.0.1", port), "neither the client"},
	} {
		file, err := h.ActiveSocket(t.Context(), test.session, monitor.ActiveWay{To: test.to})
		if err == nil {
			file.Close()
		}
		if test.want == "" && err != nil ||
			test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s, %s: %v", test.session, test.to, err)
		}
	}
}
