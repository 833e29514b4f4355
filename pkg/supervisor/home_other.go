//go:build !linux

package supervisor

import (
	"errors"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

func makeHome(string, *impersonate.Credentials, config.Mode) error { return errors.ErrUnsupported }
