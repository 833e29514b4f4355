// Package pamhelper contains the whole program ftpd-auth, the part of ftpd that loads libpam
// and the modules of the name service. It has no access to keys and network sockets: its only
// socket carries the messages of package wire.
package pamhelper

import (
	"errors"
	"fmt"
	"io"
	"os"

	"ftpd/pkg/unixauth/internal/wire"
)

// Main runs `ftpd-auth names [UID GID]` or `ftpd-auth login`, and returns the exit code.
func Main(args []string) int {
	var serve func(*wire.Conn) error
	switch {
	case len(args) == 1 && args[0] == "login":
		serve = login
	case len(args) == 1 && args[0] == "names":
		serve = names
	case len(args) == 3 && args[0] == "names":
		serve = func(c *wire.Conn) error { return namesAs(c, args[1], args[2]) }
	default:
		fmt.Fprintln(os.Stderr, "ftpd-auth is started by ftpd; it does nothing by itself")
		return 2
	}
	c, err := wire.Open(os.NewFile(wire.Descriptor, "socket"))
	if err == nil {
		err = serve(c)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintf(os.Stderr, "ftpd-auth %s: %v\n", args[0], err)
		return 1
	}
	return 0
}
