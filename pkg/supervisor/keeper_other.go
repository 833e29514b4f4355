//go:build !linux

package supervisor

import (
	"context"
	"errors"
	"net"
)

// A keeper is not there on this system: real users need the separate processes that only Linux confines.
type keeper struct{}

func newKeeper(Options, *handler, *publicNames, *rootSet, []net.Listener) (*keeper, error) {
	return nil, errors.ErrUnsupported
}

func (*keeper) run(context.Context) error { return errors.ErrUnsupported }

// A rootSet is not there either.
type rootSet struct{}

func newRootSet(Options) (*rootSet, error) { return nil, errors.ErrUnsupported }

func (*rootSet) why(string) error { return nil }

// CheckAccount says why cores could not run as the account ftpd: nil where there are none.
func CheckAccount() error { return nil }
