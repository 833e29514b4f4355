//go:build !linux

package supervisor

import (
	"errors"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

func makeHome(string, *impersonate.Credentials, config.Mode) error { return errors.ErrUnsupported }

// CheckHomes returns the reason why makeHome would make no home in a directory.
func CheckHomes(string) error { return errors.ErrUnsupported }
