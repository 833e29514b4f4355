package ftptls

import (
	"fmt"
	"slices"
	"strings"
)

// The names by which clients offer FTP in TLS (ALPN), on control connections and on data
// connections. crypto/tls refuses a client that offers only other names (RFC 7301 §3.2): its TLS
// session may be meant for a server of another protocol at the same name, to which an attacker has
// redirected it. A client that offers no names is served.
var (
	controlProtocols = []string{"ftp"}
	dataProtocols    = []string{"ftp-data", "ftp"}
)

// An offer is what a client offers by ALPN.
type offer struct{ protocols []string }

// These bound the text about an offer, which may have 64 KiB.
const (
	maxShown     = 5  // names
	maxShownName = 32 // characters of each name
)

// explain returns the error of a handshake that has failed with err. If the client offers only
// other protocols than the served ones, the result names them.
func (o *offer) explain(err error, served []string) error {
	isServed := func(name string) bool { return slices.Contains(served, name) }
	if err == nil || len(o.protocols) == 0 || slices.ContainsFunc(o.protocols, isServed) {
		return err
	}
	shown := o.protocols[:min(len(o.protocols), maxShown)]
	more := ""
	if n := len(o.protocols) - len(shown); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Errorf("the client offers by ALPN %.*q%s, but not %s", maxShownName, shown, more,
		strings.Join(served, " or "))
}
