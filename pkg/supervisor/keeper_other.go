//go:build !linux

package supervisor

import (
	"context"
	"errors"
	"net"
)

// A keeper cannot be made on this system: system users need separate processes, which only Linux
// confines.
type keeper struct{}

func newKeeper(Options, *handler, *publicNames, *rootSet, []net.Listener) (*keeper, error) {
	return nil, errors.ErrUnsupported
}

func (*keeper) run(context.Context) error { return errors.ErrUnsupported }

// A rootSet cannot be made either.
type rootSet struct{}

func newRootSet(Options) (*rootSet, error) { return nil, errors.ErrUnsupported }

func (*rootSet) lostError(string) error { return nil }

// CheckAccount returns nil, because there are no cores that run as an account of their own.
func CheckAccount() error { return nil }
