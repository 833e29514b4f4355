package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
)

// makeHome makes the missing home of a user (create_home). owner is nil where the home belongs to
// the user that runs the service. All directories above the home must belong to root or to the user
// that runs the service, and no other user may write there: a user that could replace one of them
// would choose where root makes a directory. home has no links, and each directory is checked by
// its descriptor.
func makeHome(home string, owner *impersonate.Credentials, umask config.Mode) error {
	dir, err := openTrusted(filepath.Dir(home))
	if err != nil {
		return fmt.Errorf("create_home: %w", err)
	}
	defer unix.Close(dir)
	name := filepath.Base(home)
	err = unix.Mkdirat(dir, name, 0o700)
	if err == unix.EEXIST {
		return nil // another login has made it meanwhile
	}
	if err != nil {
		return fmt.Errorf("create_home: make %s: %w", home, err)
	}
	if err := giveHome(dir, name, owner, 0o777&^uint32(umask)); err != nil {
		err = errors.Join(err, unix.Unlinkat(dir, name, unix.AT_REMOVEDIR))
		return fmt.Errorf("create_home: give %s away: %w", home, err)
	}
	return nil
}

// CheckHomes returns the reason why makeHome would make no home in a directory, nil if it would.
func CheckHomes(parent string) error {
	parent, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return err
	}
	dir, err := openTrusted(parent)
	if err == nil {
		unix.Close(dir)
	}
	return err
}

// giveHome sets mode and owner of the directory name in dir.
func giveHome(dir int, name string, owner *impersonate.Credentials, mode uint32) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchmod(fd, mode); err != nil {
		return err
	}
	if owner == nil {
		return nil
	}
	return unix.Fchown(fd, int(owner.UID), int(owner.GID))
}

// openTrusted opens a directory by a path without links. It returns an error if other users may
// write to the directory or to one above it.
func openTrusted(dir string) (fd int, err error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err = unix.Open("/", flags, 0)
	at := "/"
	for _, name := range strings.Split(strings.Trim(dir, "/"), "/") {
		if err == nil {
			err = checkTrusted(fd, at)
		}
		if err != nil || name == "" {
			break
		}
		at = filepath.Join(at, name)
		next, openErr := unix.Openat(fd, name, flags, 0)
		unix.Close(fd)
		if fd, err = next, openErr; err != nil {
			return -1, fmt.Errorf("open %s: %w", at, err)
		}
	}
	if err == nil {
		err = checkTrusted(fd, at)
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
	}
	return fd, err
}

// checkTrusted returns an error if the directory belongs to another user than root or the user that
// runs the service, or if others may write in it.
func checkTrusted(fd int, at string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch {
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s is not root's", at)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("others may write in %s", at)
	}
	return nil
}
