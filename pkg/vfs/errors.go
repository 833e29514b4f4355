package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// What went wrong, for the reply. Beside these there are fs.ErrPermission, fs.ErrNotExist, fs.ErrExist, fs.ErrClosed and
// impersonate.ErrBusy; any other error wraps the system's.
var (
	ErrNotAllowed = errors.New("not permitted by the configuration")
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
	ErrName       = errors.New("not a possible name")
	ErrMode       = errors.New("a file is never made setuid, setgid or sticky")
	ErrOffset     = errors.New("restart beyond the end of the file")
	ErrCutOff     = errors.New("the file became shorter while it was read")
	ErrCannot     = errors.New("the file system cannot do that")
)

var (
	errMount  = fmt.Errorf("a mount, or a directory above one, stays where it is: %w", fs.ErrPermission)
	errRuled  = fmt.Errorf("rules hold inside: %w", ErrNotAllowed)
	errHidden = fmt.Errorf("hidden by a mount: %w", fs.ErrNotExist)
	errNoID   = fmt.Errorf("value too large, as where an idmapped mount has no id for the user: %w", ErrCannot)
)

// kinds are the errors of every system. A loop of links leads nowhere, as a dangling one does.
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

// kind turns a system error number into the error that a caller asks for. The number is not kept beside it: some numbers answer to
// two questions (ENOTEMPTY is fs.ErrExist, too).
func kind(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		if k, ok := kinds[number]; ok {
			return k
		}
		if k, ok := systemKinds[number]; ok {
			return k
		}
		if number.Is(errors.ErrUnsupported) { // ENOSYS, EOPNOTSUPP and their like
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

// LeadsNowhere reports whether err says that a link leads to nothing that the user may see: a target
// that is missing, outside the view, not permitted, or the link itself. A failure of the file system
// is none of these.
func LeadsNowhere(err error) bool {
	for _, k := range []error{fs.ErrNotExist, fs.ErrPermission, ErrNotAllowed, ErrNotDir, ErrName} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

// openKind is kind for a call on what is open already. No number is about a name there: what kind would take for that is an error of
// its own, without the number.
func openKind(err error) error {
	k := kind(err)
	if k == ErrName || k == ErrNotRegular {
		return errors.New(err.Error())
	}
	return k
}

// rootKind is for os.Root's own errors: what is neither a number nor a known error is a path that leaves the root.
func rootKind(err error) error {
	for _, known := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrClosed} {
		if errors.Is(err, known) {
			return known
		}
	}
	return fs.ErrPermission
}
