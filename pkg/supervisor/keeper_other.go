//go:build !linux

package supervisor

import (
	"context"
	"errors"
	"net"
)

// A keeper is not there on this system: real users need the separate processes that only Linux confines.
type keeper struct{}

func newKeeper(Options, *desk, *publicNames, []net.Listener) (*keeper, error) {
	return nil, errors.ErrUnsupported
}

func (*keeper) run(context.Context) error { return errors.ErrUnsupported }

// CheckAccount says why cores could not run as the account ftpd: nil where there are none.
func CheckAccount() error { return nil }
