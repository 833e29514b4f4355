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

// makeHome makes a missing home for its user (create_home); nil is whoever runs the service. All that lies above it must be root's, or
// his who runs the service, and nobody else may write there: who could exchange a directory on the way would choose where root makes
// another. So each one is looked at by its descriptor, and links are resolved before.
func makeHome(home string, owner *impersonate.Credentials, umask config.Mode) error {
	dir, err := openParent(filepath.Dir(home))
	if err != nil {
		return fmt.Errorf("create_home: %w", err)
	}
	defer unix.Close(dir)
	name := filepath.Base(home)
	err = unix.Mkdirat(dir, name, 0o700)
	if err == unix.EEXIST {
		return nil // another login was faster
	}
	if err != nil {
		return fmt.Errorf("create_home: make %s: %w", home, err)
	}
	if err := giveHome(dir, name, owner, 0o777&^uint32(umask)); err != nil {
		return fmt.Errorf("create_home: give %s away: %w", home, errors.Join(err, unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)))
	}
	return nil
}

// CheckHomes says why no home would be made in a directory.
func CheckHomes(parent string) error {
	dir, err := openParent(parent)
	if err == nil {
		unix.Close(dir)
	}
	return err
}

func openParent(parent string) (fd int, err error) {
	if parent, err = filepath.EvalSymlinks(parent); err != nil {
		return -1, err
	}
	return openTrusted(parent)
}

func giveHome(dir int, name string, owner *impersonate.Credentials, mode uint32) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
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

// openTrusted opens a directory whose path has no links, and refuses one that others may write on the way to it.
func openTrusted(dir string) (fd int, err error) {
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err = unix.Open("/", flags, 0)
	at := "/"
	for _, name := range strings.Split(strings.Trim(dir, "/"), "/") {
		if err == nil {
			err = trusted(fd, at)
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
		err = trusted(fd, at)
	}
	if err != nil && fd >= 0 {
		unix.Close(fd)
	}
	return fd, err
}

func trusted(fd int, at string) error {
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
