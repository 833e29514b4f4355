package supervisor

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/trust"
)

// makeHome makes the missing home of a user (create_home). owner is nil where the home belongs to
// the user that runs the service. A user that could replace a directory above the home would choose
// where root makes a directory, so all of them must be trusted (pkg/trust). home has no links.
func makeHome(home string, owner *impersonate.Credentials, umask config.Mode) error {
	dir, err := openParent(filepath.Dir(home))
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
	dir, err := openParent(parent)
	if err == nil {
		unix.Close(dir)
	}
	return err
}

// openParent opens a directory for makeHome. It returns an error if other accounts can change the
// directory or the way to it. In a directory with the sticky bit, others could make the home first.
func openParent(parent string) (fd int, err error) {
	real, err := trust.Path(parent)
	if err == nil && real != parent {
		err = fmt.Errorf("%s leads to %s by a link", parent, real)
	}
	if err != nil {
		return -1, err
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if fd, err = unix.Open(parent, flags, 0); err != nil {
		return -1, fmt.Errorf("open %s: %w", parent, err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_ISVTX != 0 && st.Mode&0o022 != 0 {
		err = fmt.Errorf("others may write in %s", parent)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
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
