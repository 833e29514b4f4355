// Package winauth knows the users of a Windows system: it logs them on and gives their profile directory as home.
package winauth

import (
	"errors"
	"fmt"

	"ftpd/pkg/auth"
)

// ErrNotHere tells that this system has no Windows users.
var ErrNotHere = fmt.Errorf(`auth.backend = "windows": not on this system: %w`, errors.ErrUnsupported)

// New makes the Authorizer for auth.backend = "windows". The error is ErrNotHere where it cannot work.
func New() (auth.Authorizer, error) { return nil, ErrNotHere }
