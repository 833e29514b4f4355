//go:build !windows

package vfs

import "syscall"

var systemKinds map[syscall.Errno]error // none besides those in kinds
