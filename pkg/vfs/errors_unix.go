//go:build !windows

package vfs

import "syscall"

var systemKinds map[syscall.Errno]error // the common ones are all
