package vfs

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/windows"
)

// systemKinds maps the error numbers that only Windows has.
var systemKinds = map[syscall.Errno]error{
	windows.ERROR_ACCESS_DENIED:     fs.ErrPermission,
	windows.ERROR_SHARING_VIOLATION: fs.ErrPermission,
	windows.ERROR_FILE_NOT_FOUND:    fs.ErrNotExist,
	windows.ERROR_PATH_NOT_FOUND:    fs.ErrNotExist,
	windows.ERROR_FILE_EXISTS:       fs.ErrExist,
	windows.ERROR_ALREADY_EXISTS:    fs.ErrExist,
	windows.ERROR_DIRECTORY:         ErrNotDir,
	windows.ERROR_DIR_NOT_EMPTY:     ErrNotEmpty,
	windows.ERROR_DISK_FULL:         ErrNoSpace,
	windows.ERROR_HANDLE_DISK_FULL:  ErrNoSpace,
	windows.ERROR_WRITE_PROTECT:     ErrReadOnly,
	windows.ERROR_NOT_SAME_DEVICE:   ErrCrossMount,
	windows.ERROR_INVALID_NAME:      ErrName,
}
