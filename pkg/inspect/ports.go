package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"ftpd/pkg/config"
	"ftpd/pkg/supervisor"
)

// ports reports the addresses that a start could not listen on, and the processes that listen
// there. Addresses of a running service with the same configuration count as free.
func (l *inspection) ports(ctx context.Context) {
	c := l.Config.Server
	addresses := slices.Concat(c.Listen, c.ListenTLS)
	for i, err := range supervisor.TryListen(ctx, addresses) {
		id := fmt.Sprintf("server.listen[%d]", i)
		if i >= len(c.Listen) {
			id = fmt.Sprintf("server.listen_tls[%d]", i-len(c.Listen))
		}
		switch {
		case err == nil:
		case errors.Is(err, syscall.EADDRINUSE):
			l.addressInUse(id, addresses[i])
		case !errors.Is(err, syscall.EACCES):
			l.Report(id, false, "%v", err)
		case l.oneProcess: // a warning, because another user may be allowed to listen there
			l.Report(id, true, "%v", err)
		}
	}
}

// addressInUse reports an address that a process listens on already.
func (l *inspection) addressInUse(id string, a config.Address) {
	holders, complete := findHolders(a)
	switch {
	case slices.ContainsFunc(holders, func(h holder) bool { return h.serves(l.Files[0]) }):
	case len(holders) > 0:
		l.Report(id, false, "cannot listen on %s: %s does already", a, holders[0])
	case complete:
		l.Report(id, false, "cannot listen on %s: another program does already, "+
			"or another line of this file has the same address", a)
	default:
		l.Report(id, true, "something listens on %s already: this service, if it runs; "+
			"run ftpd check as root to see which program", a)
	}
}

// A holder is a process that has a listening socket.
type holder struct {
	pid  int
	name string   // of the program
	args []string // its command line
	dir  string   // its working directory
}

func (h holder) String() string { return fmt.Sprintf("%s (pid %d)", h.name, h.pid) }
