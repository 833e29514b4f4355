package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"ftpd/pkg/view"
)

// The errors of this package. Besides these, methods return fs.ErrPermission, fs.ErrNotExist,
// fs.ErrExist, fs.ErrClosed and impersonate.ErrBusy. Any other error wraps that of the system.
var (
	ErrNotAllowed = view.ErrNotAllowed
	ErrNotDir     = errors.New("not a directory")
	ErrIsDir      = errors.New("is a directory")
	ErrNotEmpty   = errors.New("directory not empty")
	ErrQuota      = errors.New("quota exceeded")
	ErrNoSpace    = errors.New("no space left on the file system")
	ErrReadOnly   = errors.New("read-only file system")
	ErrCrossMount = errors.New("on another mount or file system")
	ErrLimit      = errors.New("larger than a file may be")
	ErrTooLarge   = errors.New("file too large")
	ErrNotRegular = errors.New("not a regular file")
	ErrName       = view.ErrName
	ErrMode       = errors.New("a file is never made setuid, setgid or sticky")
	ErrOffset     = errors.New("restart beyond the end of the file")
	ErrCutOff     = errors.New("the file became shorter while it was read")
	ErrCannot     = errors.New("the file system cannot do that")
)

var (
	errMount = fmt.Errorf("a mount, or a directory above one, stays where it is: %w",
		fs.ErrPermission)
	errRuled = fmt.Errorf("a rule or a mount lies inside the directory: %w", ErrNotAllowed)
	errNoID  = fmt.Errorf("value too large, as where an idmapped mount has no id for the user: %w",
		ErrCannot)
)

// kinds maps the error numbers that all systems have. A loop of links leads nowhere, like a
// dangling link.
var kinds = map[syscall.Errno]error{
	syscall.EACCES:       fs.ErrPermission,
	syscall.EPERM:        fs.ErrPermission,
	syscall.ENOENT:       fs.ErrNotExist,
	syscall.ELOOP:        fs.ErrNotExist,
	syscall.EEXIST:       fs.ErrExist,
	syscall.ENOTDIR:      ErrNotDir,
	syscall.EISDIR:       ErrIsDir,
	syscall.ENOTEMPTY:    ErrNotEmpty,
	syscall.EDQUOT:       ErrQuota,
	syscall.ENOSPC:       ErrNoSpace,
	syscall.EROFS:        ErrReadOnly,
	syscall.EXDEV:        ErrCrossMount,
	syscall.EFBIG:        ErrTooLarge,
	syscall.ENXIO:        ErrNotRegular,
	syscall.ENODEV:       ErrNotRegular,
	syscall.ENAMETOOLONG: ErrName,
	syscall.EINVAL:       ErrName,
	syscall.EILSEQ:       ErrName,
	syscall.EOVERFLOW:    errNoID,
}

// kind replaces a system error number by an error that callers compare with. The result does not
// wrap the number, because some numbers match two errors (ENOTEMPTY matches fs.ErrExist as well).
func kind(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		if k, ok := kinds[number]; ok {
			return k
		}
		if k, ok := systemKinds[number]; ok {
			return k
		}
		if number.Is(errors.ErrUnsupported) { // such as ENOSYS and EOPNOTSUPP
			return ErrCannot
		}
		return err
	}
	var inPath *fs.PathError
	var inLink *os.LinkError
	if errors.As(err, &inPath) || errors.As(err, &inLink) {
		return rootKind(err)
	}
	return err
}

// LeadsNowhere reports whether err means that a link leads to nothing that the user may see: its
// target is missing, outside the view or not permitted, or the link is part of a loop. A failure of
// the file system is none of these.
func LeadsNowhere(err error) bool {
	for _, k := range []error{fs.ErrNotExist, fs.ErrPermission, ErrNotAllowed, ErrNotDir, ErrName} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// openKind is kind for a call on an open file. No error number is about a name there, so what kind
// takes for an impossible name or an irregular file becomes an error with only the text of the
// number.
func openKind(err error) error {
	k := kind(err)
	if k == ErrName || k == ErrNotRegular {
		return errors.New(err.Error())
	}
	return k
}

// rootKind is kind for an error of os.Root. An error without a number that is not one of the known
// errors means that the path leaves the root.
func rootKind(err error) error {
	for _, known := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrClosed} {
		if errors.Is(err, known) {
			return known
		}
	}
	return fs.ErrPermission
}
