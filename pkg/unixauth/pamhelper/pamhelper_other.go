//go:build !linux || !cgo

package pamhelper

import (
	"errors"

	"ftpd/pkg/unixauth/internal/wire"
)

var errNotBuilt = errors.New("ftpd-auth needs cgo and libpam, and was built without")

func login(c *wire.Conn) error {
	c.Send(wire.Hello{Version: wire.Version, Failed: errNotBuilt.Error()})
	return errNotBuilt
}

func names(c *wire.Conn) error { return login(c) }

func namesAs(c *wire.Conn, _, _ string) error { return login(c) }
