package sandbox

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights of Landlock on files, and on directories for what lies below them. Devices, sockets and FIFOs are never made, nothing but the
// program itself is executed.
const (
	readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE
	read     = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	write    = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_REFER
	makeSocket = unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REFER
	makeLog = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG
	execute = unix.LANDLOCK_ACCESS_FS_EXECUTE
	neverOK = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// minABI brought REFER: before it, Landlock refuses each rename between directories, which users would meet as a broken server.
const minABI = 2

// landlockABI asks the kernel for its version of Landlock; an error says why there is none that serves.
func landlockABI() (int, error) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errors.Is(errno, unix.ENOSYS), errors.Is(errno, unix.EOPNOTSUPP):
		return 0, fmt.Errorf("this kernel has no Landlock (%w)", errno)
	case errno != 0:
		return 0, fmt.Errorf("a container's profile may refuse Landlock (%w)", errno)
	case abi < minABI:
		return 0, fmt.Errorf("this kernel's Landlock (ABI %d) would refuse to move files between directories; ABI %d is needed (Linux 5.19)", abi, minABI)
	}
	return int(abi), nil
}

// supported are the rights that a version of Landlock knows.
func supported(abi int) uint64 {
	rights := uint64(read | write | execute | neverOK)
	if abi < 3 {
		rights &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi < 5 {
		rights &^= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return rights
}

// restrict confines the calling thread, for ever: its later children inherit it. program is the executable that it may still run.
// The thread must hold no_new_privs or CAP_SYS_ADMIN. Paths that do not exist are returned.
func restrict(abi int, program string, c Confinement) (skipped []string, err error) {
	handled := supported(abi)
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return nil, fmt.Errorf("make a Landlock ruleset: %w", errno)
	}
	ruleset := int(fd)
	defer unix.Close(ruleset)

	grant := func(rights uint64, paths ...string) error {
		for _, path := range paths {
			err := allow(ruleset, path, rights&handled)
			if errors.Is(err, unix.ENOENT) {
				skipped = append(skipped, path)
			} else if err != nil {
				return fmt.Errorf("let Landlock allow %s: %w", path, err)
			}
		}
		return nil
	}
	if err := errors.Join(grant(readFile|execute, program), grant(read, c.ReadOnly...), grant(makeLog, c.Logs...), grant(makeSocket, c.Sockets...), grant(read|write, c.Roots...)); err != nil {
		return nil, err
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return nil, fmt.Errorf("enter the Landlock ruleset: %w", errno)
	}
	return skipped, nil
}

// allow adds a rule; on a file only the rights that files have may be given.
func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= readFile | execute | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
