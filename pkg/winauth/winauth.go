// Package winauth is the place of the Authorizer that logs on the users of a Windows system. It
// has none yet: New always fails.
package winauth

import (
	"errors"
	"fmt"

	"ftpd/pkg/auth"
)

// ErrNotHere means that this system has no Windows users.
var ErrNotHere = fmt.Errorf(`auth.backend = "windows": not on this system: %w`,
	errors.ErrUnsupported)

// New returns ErrNotHere in place of the Authorizer for auth.backend = "windows".
func New() (auth.Authorizer, error) { return nil, ErrNotHere }
