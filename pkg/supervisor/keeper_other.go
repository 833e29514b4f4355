//go:build !linux

package supervisor

import (
	"context"
	"errors"
	"net"

	"ftpd/pkg/auth"
	"ftpd/pkg/roots"
)

// A keeper cannot be made on this system: system users need separate processes, which only Linux
// confines.
type keeper struct{}

func newKeeper(
	Options, *handler, auth.RunAs, *publicNames, *roots.Set, []net.Listener,
) (*keeper, error) {
	return nil, errors.ErrUnsupported
}

func (*keeper) run(context.Context) error { return errors.ErrUnsupported }

// CheckAccount returns nil, because there are no cores that run as an account of their own.
func CheckAccount() error { return nil }
