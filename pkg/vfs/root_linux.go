//go:build linux && !osroot

package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ftpd/pkg/config"
)

// A root is the directory of a mount, held by a descriptor that is opened with O_PATH. It stays the
// same directory if it is renamed. All paths are relative to it; "." is the directory itself.
type root struct {
	kernel
	fd          int
	dev         uint64
	needsPlaces bool
}

// Confinement is the name of the system call that confines sessions to their directories.
const Confinement = "openat2"

// Probe returns an error if this system lacks a call that confinement needs.
func Probe() error {
	r, err := openRoot("/", false, nil)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

// openRoot opens a directory of the host that the user may enter. With needsPlaces the other
// methods return places.
func openRoot(dir string, needsPlaces bool, faults Faults) (*root, error) {
	r := &root{kernel: kernel{faults}, needsPlaces: needsPlaces}
	fd, err := r.kernel.open(dir)
	if err != nil {
		return nil, r.explain(err, dir, r.kernel.open)
	}
	r.fd = fd
	if err := r.check(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *root) check() error {
	_, err := r.enter(".")
	switch {
	case errors.Is(err, unix.ENOSYS):
		return errors.New("the system has no openat2(2): Linux 5.6 or later is needed")
	case errors.Is(err, unix.EPERM):
		return errors.New(
			"openat2(2) is refused: the system call filter of this container is too old")
	case err != nil && r.needsPlaces && errors.Is(err, unix.ENOENT):
		return errors.New("rules and mounts need /proc, to know where a link leads")
	case err != nil:
		return err
	}
	var st unix.Statx_t
	if err := r.statx(r.fd, &st); err != nil {
		return err
	}
	if err := r.checkServed(r.fd, ^uint64(0)); err != nil {
		return err
	}
	r.dev = unix.Mkdev(st.Dev_major, st.Dev_minor)
	return nil
}

func (r *root) close() { r.kernel.close(r.fd) }

// inside returns an error if the directory is in none of the roots. The kernel returns the place of
// the descriptor, because a user that may write above the directory can exchange its name for a
// link between any check of the name and the open.
func (r *root) inside(roots []string) error {
	if roots == nil {
		return nil
	}
	place, err := r.hostPath(r.fd)
	if err != nil {
		return fmt.Errorf("find where the directory is: %w", err)
	}
	if !config.Serves(roots, place) {
		return fmt.Errorf("it leads to %s, which is outside server.roots: %w", place, fs.ErrPermission)
	}
	return nil
}

// resolve opens the file that rel leads to below the root. The kernel returns EAGAIN if it cannot
// decide whether ".." stays inside, because a directory was renamed meanwhile.
func (r *root) resolve(rel string, flags int) (fd int, err error) {
	for range 64 {
		fd, err = r.openat2(r.fd, rel, flags)
		if err != unix.EAGAIN {
			break
		}
	}
	if err == unix.EACCES && r.lacksAllowOther(r.fd) {
		return fd, errFUSE // then not even "." can be opened
	}
	return fd, r.explain(err, rel, func(rel string) (int, error) {
		return r.openat2(r.fd, rel, unix.O_PATH)
	})
}

// errFUSE names what the administrator can change. FUSE compares all ids of a process with those
// of the user that mounted the file system, and a section changes only the ids for file access.
var errFUSE = fmt.Errorf("the FUSE file system was mounted without the option allow_other, "+
	"which users may give only where /etc/fuse.conf has user_allow_other: %w", fs.ErrPermission)

// lacksAllowOther reports whether fd is on a FUSE file system of another user that was mounted
// without allow_other. The kernel then refuses all calls but statfs(2), which returns the type and
// no sizes.
func (k kernel) lacksAllowOther(fd int) bool {
	var st unix.Statfs_t
	return k.fstatfs(fd, &st) == nil && int64(st.Type) == unix.FUSE_SUPER_MAGIC && st.Bsize == 0
}

// explain replaces EACCES if such a file system is the cause. open could not resolve name. The
// mount of the file system is the longest part of name that open can resolve.
func (k kernel) explain(err error, name string, open func(string) (int, error)) error {
	for failed := err; failed == unix.EACCES; name = path.Dir(name) {
		var fd int
		if fd, failed = open(name); failed == nil {
			defer k.close(fd)
			if k.lacksAllowOther(fd) {
				return errFUSE
			}
		}
		if name == "." || name == "/" {
			break
		}
	}
	return err
}

// place returns the path of fd below the root: "." for the root itself, "" if places are not
// needed.
func (r *root) place(fd int) (string, error) {
	if !r.needsPlaces {
		return "", nil
	}
	base, err := r.hostPath(r.fd)
	if err != nil {
		return "", err
	}
	at, err := r.hostPath(fd)
	if err != nil {
		return "", err
	}
	base = strings.TrimSuffix(base, "/")
	switch {
	case at == base || at == base+"/":
		return ".", nil
	case strings.HasPrefix(at, base+"/"):
		return at[len(base)+1:], nil
	}
	return "", fmt.Errorf("moved out of the view: %w", unix.EACCES)
}

// unserved lists the file systems that are never served, whatever the configuration contains:
// /proc, /sys and others of the kernel. A file there can be the memory of this process.
var unserved = map[int64]bool{
	unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true,
	unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true,
	unix.DEBUGFS_MAGIC: true, unix.TRACEFS_MAGIC: true,
	unix.SECURITYFS_MAGIC: true, unix.BPF_FS_MAGIC: true,
	unix.SELINUX_MAGIC: true, unix.EFIVARFS_MAGIC: true, unix.PSTOREFS_MAGIC: true,
}

// checkServed returns an error if fd is on a file system that is never served. The file system of
// the root itself is checked only when the root is opened.
func (r *root) checkServed(fd int, dev uint64) error {
	if dev == r.dev {
		return nil
	}
	var st unix.Statfs_t
	if err := r.fstatfs(fd, &st); err != nil {
		return err
	}
	if unserved[int64(st.Type)] {
		return fmt.Errorf("a file system of the kernel is never served: %w", unix.EACCES)
	}
	return nil
}

// describe returns the attributes and the place of an open descriptor.
func (r *root) describe(fd int) (e Entry, place string, err error) {
	var st unix.Statx_t
	if err := r.statx(fd, &st); err != nil {
		if err == unix.EACCES && r.lacksAllowOther(fd) {
			err = errFUSE
		}
		return Entry{}, "", err
	}
	e = entryOf(&st)
	if err := r.checkServed(fd, e.Dev); err != nil {
		return Entry{}, "", err
	}
	place, err = r.place(fd)
	return e, place, err
}

// stat describes the file that rel leads to; with follow false it describes the last link itself.
// created adds the time of creation.
func (r *root) stat(rel string, follow, created bool) (Entry, string, error) {
	flags := unix.O_PATH
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := r.resolve(rel, flags)
	if err != nil {
		return Entry{}, "", err
	}
	defer r.kernel.close(fd)
	e, place, err := r.describe(fd)
	if err == nil && e.Mode&os.ModeSymlink != 0 {
		e.Target, err = r.readlinkat(fd, "")
	}
	if err == nil && created {
		e.Created, err = r.created(fd)
	}
	return e, place, err
}

// enter resolves a directory that the user may enter, and returns its place. Because of the dot at
// the end, the kernel checks the permission to enter it.
func (r *root) enter(rel string) (string, error) {
	fd, err := r.resolve(rel+"/.", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return "", err
	}
	defer r.kernel.close(fd)
	_, place, err := r.describe(fd)
	return place, err
}

// open opens a regular file for reading or writing (os.O_RDONLY, os.O_WRONLY, os.O_APPEND). It looks
// at the kind of the file before, since the open of a device can have an effect (a tape rewinds, a
// watchdog starts), and that of a FIFO releases the program at its other end. The file that was
// described is the one that is opened, because its descriptor names it.
func (r *root) open(rel string, flags int) (opened, error) {
	at, err := r.resolve(rel, unix.O_PATH)
	if err != nil {
		return opened{}, err
	}
	defer r.kernel.close(at)
	e, place, err := r.describe(at)
	switch {
	case err != nil:
		return opened{}, err
	case e.Mode.IsDir():
		return opened{}, ErrIsDir
	case !e.Mode.IsRegular():
		return opened{}, ErrNotRegular
	}
	fd, err := r.reopen(at, flags|unix.O_NONBLOCK) // does not wait for the holder of a lease
	if err != nil {
		return opened{}, err
	}
	var st unix.Statx_t // a file system in the network fetches the size at the open
	if err = r.statx(fd, &st); err == nil {
		err = r.setFlags(fd, flags&os.O_APPEND)
	}
	if err != nil {
		r.kernel.close(fd)
		return opened{}, err
	}
	return opened{file: os.NewFile(uintptr(fd), rel), size: int64(st.Size), place: place}, nil
}

// A parent is a directory whose entries are made, renamed or removed.
type parent struct {
	root  *root
	fd    int
	place string // of the directory, as of root.place
}

func (r *root) parent(rel string) (*parent, error) {
	dir := &parent{root: r, fd: r.fd, place: "."}
	if rel == "." {
		return dir, nil
	}
	fd, err := r.resolve(rel, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	dir.fd = fd
	if _, dir.place, err = r.describe(fd); err != nil {
		dir.close()
		return nil, err
	}
	return dir, nil
}

func (p *parent) close() {
	if p.fd != p.root.fd {
		p.root.kernel.close(p.fd)
	}
}

// create creates a file that does not exist yet.
func (p *parent) create(name string, flags int, mode uint32) (*os.File, error) {
	fd, err := p.root.openat(p.fd, name, flags|unix.O_CREAT|unix.O_EXCL, mode)
	if err != nil {
		return nil, p.newName(err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// writable checks whether the user may make files here. Before Linux 5.8 there is no such check;
// the creation of the file then reports the error.
func (p *parent) writable() error {
	err := p.root.faccessat2(p.fd, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if err == unix.ENOSYS {
		return nil
	}
	return err
}

func (p *parent) mkdir(name string, mode uint32) error {
	return p.newName(p.root.mkdirat(p.fd, name, mode))
}

// newName replaces ENOENT by ErrName after a failed creation, if the directory still exists:
// exfat-fuse returns ENOENT for a name with a colon.
func (p *parent) newName(err error) error {
	if err != unix.ENOENT {
		return err
	}
	var st unix.Statx_t
	if failed := p.root.statx(p.fd, &st); failed != nil || st.Nlink == 0 {
		return err
	}
	return ErrName
}

func (p *parent) unlink(name string) error { return p.root.unlinkat(p.fd, name, 0) }
func (p *parent) rmdir(name string) error  { return p.root.unlinkat(p.fd, name, unix.AT_REMOVEDIR) }

// free returns how many bytes the user could store here.
func (p *parent) free() (int64, error) {
	var st unix.Statfs_t
	err := p.root.fstatfs(p.fd, &st)
	return available(&st), err
}

// hasDefaultACL reports whether the directory has an ACL for new entries.
func (p *parent) hasDefaultACL() (bool, error) {
	return p.root.hasXattr(p.fd, "system.posix_acl_default")
}

// exists returns nil if the directory has an entry with that name.
func (p *parent) exists(name string) error {
	_, err := p.lookup(name)
	return err
}

// lookup describes the entry with that name.
func (p *parent) lookup(name string) (Entry, error) {
	nul, err := unix.BytePtrFromString(name)
	if err != nil {
		return Entry{}, err
	}
	var st unix.Statx_t
	err = p.root.statxAt(p.fd, nul, unix.STATX_BASIC_STATS, &st)
	return entryOf(&st), err
}

// rename renames an entry. It replaces an existing one only with replace.
func (p *parent) rename(name string, to *parent, toName string, replace bool) error {
	err := p.move(name, to, toName, replace)
	if err == unix.ENOENT && p.exists(name) == nil {
		return to.newName(err)
	}
	return err
}

// move renames an entry, without the check of newName. NFS cannot promise not to replace an
// existing entry; there, move looks for it first.
func (p *parent) move(name string, to *parent, toName string, replace bool) error {
	if replace {
		return p.root.renameat2(p.fd, name, to.fd, toName, 0)
	}
	err := p.root.renameat2(p.fd, name, to.fd, toName, unix.RENAME_NOREPLACE)
	if err != unix.EINVAL {
		return err
	}
	switch err := to.exists(toName); err {
	case nil:
		return unix.EEXIST
	case unix.ENOENT:
		return p.root.renameat2(p.fd, name, to.fd, toName, 0)
	default:
		return err
	}
}
