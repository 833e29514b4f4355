//go:build !windows

package vfs

import (
	"errors"
	"syscall"
)

var systemKinds map[syscall.Errno]error // the common ones are all

// dead says that a file system does not answer any more.
func dead(err error) bool {
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ESTALE) || errors.Is(err, syscall.EHOSTDOWN)
}
