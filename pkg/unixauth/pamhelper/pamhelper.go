// Package pamhelper is all of the program ftpd-auth: the part of ftpd that loads libpam and the name service's modules. It is apart
// from keys and sockets, and says on one descriptor what package wire describes.
package pamhelper

import (
	"errors"
	"fmt"
	"io"
	"os"

	"ftpd/pkg/unixauth/internal/wire"
)

// Main carries out `ftpd-auth names [UID GID]` and `ftpd-auth login`, and gives the exit code.
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
