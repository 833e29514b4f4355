//go:build !linux

package unixauth

import (
	"errors"
	"time"

	"ftpd/pkg/unixauth/internal/wire"
)

// A helper exists on Linux only.
type helper struct {
	conn    *wire.Conn
	started time.Time
	exited  chan struct{}
}

func startHelper(string, ...string) (*helper, error) { return nil, errors.ErrUnsupported }

func (*helper) hasExited() bool { return true }
func (*helper) end() string     { return "" }
func (*helper) kill()           {}
