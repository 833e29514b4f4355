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

// ports tells which addresses a start could not have, and who has them. Those of the service itself, which may run already, are free.
func (l *look) ports(ctx context.Context) {
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
			l.taken(id, addresses[i])
		case !errors.Is(err, syscall.EACCES):
			l.Tell(id, false, "%v", err)
		case l.ordinary: // who starts it may be allowed to
			l.Tell(id, true, "%v", err)
		}
	}
}

// taken tells of an address that somebody listens on.
func (l *look) taken(id string, a config.Address) {
	holders, sure := findHolders(a)
	switch {
	case slices.ContainsFunc(holders, func(h holder) bool { return h.serves(l.Files[0]) }):
	case len(holders) > 0:
		l.Tell(id, false, "cannot listen on %s: %s does already", a, holders[0])
	case sure:
		l.Tell(id, false, "cannot listen on %s: another program does, or another line of this file means it too", a)
	default:
		l.Tell(id, true, "something listens on %s already: this service, if it runs; as root, ftpd check says what it is", a)
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
