package sandbox

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The Landlock rights of files and of everything below a directory. No process gets the right to
// make devices or FIFOs. It can make sockets only in Confinement.Sockets, and execute only its own
// program.
const (
	readFile = unix.LANDLOCK_ACCESS_FS_READ_FILE
	read     = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	write    = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_REFER
	makeSocket = unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REFER
	makeLog = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_MAKE_REG
	execute = unix.LANDLOCK_ACCESS_FS_EXECUTE
	neverOK = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// minABI is the first version with the right REFER. An older Landlock refuses each rename between
// directories, which users would take for a broken server.
const minABI = 2

// landlockABI returns the version of Landlock of this kernel, or an error that names why Landlock
// cannot be used.
func landlockABI() (int, error) {
	abi, _, errno := unix.Syscall(
		unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch {
	case errors.Is(errno, unix.ENOSYS), errors.Is(errno, unix.EOPNOTSUPP):
		return 0, fmt.Errorf("this kernel has no Landlock (%w)", errno)
	case errno != 0:
		return 0, fmt.Errorf("a container's profile may refuse Landlock (%w)", errno)
	case abi < minABI:
		return 0, fmt.Errorf("this kernel's Landlock (ABI %d) would refuse to move files "+
			"between directories; ABI %d is needed (Linux 5.19)", abi, minABI)
	}
	return int(abi), nil
}

// supported returns the rights that a version of Landlock has.
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

// restrict confines the calling thread and its later children. This cannot be undone. program is
// the executable that they may run. The thread must have no_new_privs or CAP_SYS_ADMIN.
func restrict(abi int, program string, c Confinement) error {
	handled := supported(abi)
	attr := unix.LandlockRulesetAttr{Handled_access_fs: handled}
	if abi >= 6 {
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return fmt.Errorf("make a Landlock ruleset: %w", errno)
	}
	r := rules{fd: int(fd), handled: handled}
	defer unix.Close(r.fd)
	err := errors.Join(
		r.paths(readFile|execute, program), r.paths(read, c.ReadOnly...),
		r.paths(makeLog, c.Logs...), r.paths(makeSocket, c.Sockets...),
		r.roots(read, c.Shown), r.roots(read|write, c.Roots))
	if err != nil {
		return err
	}
	_, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(r.fd), 0, 0)
	if errno != 0 {
		return fmt.Errorf("enter the Landlock ruleset: %w", errno)
	}
	return nil
}

// rules is a Landlock ruleset under construction.
type rules struct {
	fd      int
	handled uint64 // the rights that this version of Landlock has
}

// paths adds a rule for each path that exists.
func (r rules) paths(rights uint64, paths ...string) error {
	for _, path := range paths {
		if err := r.path(rights, path); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("let Landlock allow %s: %w", path, err)
		}
	}
	return nil
}

func (r rules) path(rights uint64, path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	return r.add(rights, fd, st.Mode&unix.S_IFMT == unix.S_IFDIR)
}

// roots adds a rule for each root that is open. It makes no call on a file system, because such a
// call can block forever.
func (r rules) roots(rights uint64, roots []Root) error {
	for _, root := range roots {
		if root.Err != nil {
			continue
		}
		if err := r.add(rights, int(root.file.Fd()), root.Dir); err != nil {
			return fmt.Errorf("let Landlock allow %s: %w", root.Path, err)
		}
	}
	return nil
}

// add adds a rule. For a file, it drops the rights that only directories have.
func (r rules) add(rights uint64, fd int, dir bool) error {
	rights &= r.handled
	if !dir {
		rights &= readFile | execute |
			unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.fd),
		unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
