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

// FileSystems returns a function that takes each path for a file system.
func FileSystems() func(path string) string { return func(path string) string { return path } }

// LostError returns nil.
func (*Set) LostError(string) error { return nil }
