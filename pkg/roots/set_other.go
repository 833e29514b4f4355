//go:build !linux

package roots

import (
	"errors"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
)

// A Set cannot be made on this system, because separate cores run on Linux alone.
type Set struct{}

// NewSet returns errors.ErrUnsupported.
func NewSet(*config.Config, zerolog.Logger) (*Set, error) { return nil, errors.ErrUnsupported }

// LostError returns nil.
func (*Set) LostError(string) error { return nil }
