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
)

// A root is the directory of a mount, held by a descriptor that only names it. It stays the same directory whatever it is called
// meanwhile. All paths are relative; "." is the directory itself.
type root struct {
	kernel
	fd     int
	dev    uint64
	places bool
}

// Confinement names the call of the kernel that holds sessions to their directories.
const Confinement = "openat2"

// Probe says what this system lacks to confine anybody, nil if nothing.
func Probe() error {
	r, err := openRoot("/", false, nil)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

// openRoot opens a directory of the host that the user may enter. With places, the other methods tell where things really are.
func openRoot(dir string, places bool, faults Faults) (*root, error) {
	r := &root{kernel: kernel{faults}, places: places}
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
		return errors.New("openat2(2) is refused: the system call filter of this container is too old")
	case err != nil && r.places && errors.Is(err, unix.ENOENT):
		return errors.New("rules and mounts need /proc, to know where a link leads")
	case err != nil:
		return err
	}
	var st unix.Statx_t
	if err := r.statx(r.fd, &st); err != nil {
		return err
	}
	if err := r.served(r.fd, ^uint64(0)); err != nil {
		return err
	}
	r.dev = unix.Mkdev(st.Dev_major, st.Dev_minor)
	return nil
}

func (r *root) close() { r.kernel.close(r.fd) }

// resolve opens what rel leads to below the root. The kernel answers EAGAIN where it could not tell whether ".." stayed inside,
// because something was renamed meanwhile.
func (r *root) resolve(rel string, flags int) (fd int, err error) {
	for range 64 {
		fd, err = r.openat2(r.fd, rel, flags)
		if err != unix.EAGAIN {
			break
		}
	}
	if err == unix.EACCES && r.keepsOut(r.fd) {
		return fd, errFUSE // not even "." can be opened then
	}
	return fd, r.explain(err, rel, func(rel string) (int, error) { return r.openat2(r.fd, rel, unix.O_PATH) })
}

// errFUSE names what the administrator can change: FUSE compares all ids of a process with those of the user that
// mounted the file system, and a section changes only the ones that count for files.
var errFUSE = fmt.Errorf("the FUSE file system was mounted without the option allow_other, which users may give only "+
	"where /etc/fuse.conf has user_allow_other: %w", fs.ErrPermission)

// keepsOut reports whether fd is on a FUSE file system of another user without allow_other. The kernel refuses all but
// statfs(2), which knows the type there and no sizes.
func (k kernel) keepsOut(fd int) bool {
	var st unix.Statfs_t
	return k.fstatfs(fd, &st) == nil && int64(st.Type) == unix.FUSE_SUPER_MAGIC && st.Bsize == 0
}

// explain replaces EACCES where such a file system is the cause. open could not resolve name; the mount is the longest
// part of it that it can.
func (k kernel) explain(err error, name string, open func(string) (int, error)) error {
	for failed := err; failed == unix.EACCES; name = path.Dir(name) {
		var fd int
		if fd, failed = open(name); failed == nil {
			defer k.close(fd)
			if k.keepsOut(fd) {
				return errFUSE
			}
		}
		if name == "." || name == "/" {
			break
		}
	}
	return err
}

// place is where fd is below the root: "." for the root, "" where nobody asks.
func (r *root) place(fd int) (string, error) {
	if !r.places {
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

// The file systems of /proc and /sys are never served, whatever is: a file there can be the memory of this process.
var unserved = map[int64]bool{
	unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true, unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true,
	unix.DEBUGFS_MAGIC: true, unix.TRACEFS_MAGIC: true, unix.SECURITYFS_MAGIC: true, unix.BPF_FS_MAGIC: true,
	unix.SELINUX_MAGIC: true, unix.EFIVARFS_MAGIC: true, unix.PSTOREFS_MAGIC: true,
}

// served refuses what lies on such a file system. The one of the root itself was asked at the start.
func (r *root) served(fd int, dev uint64) error {
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

// describe is what is known about an open descriptor: what it is, and where.
func (r *root) describe(fd int) (e Entry, place string, err error) {
	var st unix.Statx_t
	if err := r.statx(fd, &st); err != nil {
		if err == unix.EACCES && r.keepsOut(fd) {
			err = errFUSE
		}
		return Entry{}, "", err
	}
	e = entryOf(&st)
	if err := r.served(fd, e.Dev); err != nil {
		return Entry{}, "", err
	}
	place, err = r.place(fd)
	return e, place, err
}

// stat describes what rel leads to, or with follow false the last link itself; with created, it asks for that time, too.
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

// enter resolves a directory that the user may enter, and tells its place. The dot at the end makes the kernel ask for the right to.
func (r *root) enter(rel string) (string, error) {
	fd, err := r.resolve(rel+"/.", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return "", err
	}
	defer r.kernel.close(fd)
	_, place, err := r.describe(fd)
	return place, err
}

// open opens a regular file, for reading or writing (os.O_RDONLY, os.O_WRONLY, os.O_APPEND). O_NONBLOCK and O_NOCTTY keep it from
// waiting for a FIFO's other end or becoming a terminal's session before it is known what was opened.
func (r *root) open(rel string, flags int) (opened, error) {
	fd, err := r.resolve(rel, flags|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return opened{}, err
	}
	e, place, err := r.describe(fd)
	switch {
	case err != nil:
	case e.Mode.IsDir():
		err = ErrIsDir
	case !e.Mode.IsRegular():
		err = ErrNotRegular
	default:
		err = r.setFlags(fd, flags&os.O_APPEND)
	}
	if err != nil {
		r.kernel.close(fd)
		return opened{}, err
	}
	return opened{file: os.NewFile(uintptr(fd), rel), size: e.Size, place: place}, nil
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

// create makes a file that is not there yet.
func (p *parent) create(name string, flags int, mode uint32) (*os.File, error) {
	fd, err := p.root.openat(p.fd, name, flags|unix.O_CREAT|unix.O_EXCL, mode)
	if err != nil {
		return nil, p.newName(err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// writable asks the kernel whether the user may make files here. Where it cannot tell (before Linux 5.8), making one does.
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

// newName makes ENOENT for something new, in a directory that was not removed meanwhile, the error of its name: exfat-fuse has no other
// for a colon.
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

// free is what the user could store here.
func (p *parent) free() (int64, error) {
	var st unix.Statfs_t
	err := p.root.fstatfs(p.fd, &st)
	return available(&st), err
}

// hasDefaultACL reports whether the ACL of new entries comes from the directory.
func (p *parent) hasDefaultACL() (bool, error) {
	return p.root.hasXattr(p.fd, "system.posix_acl_default")
}

// exists is nil where something has the name.
func (p *parent) exists(name string) error {
	_, err := p.lookup(name)
	return err
}

// lookup describes what has the name.
func (p *parent) lookup(name string) (Entry, error) {
	nul, err := unix.BytePtrFromString(name)
	if err != nil {
		return Entry{}, err
	}
	var st unix.Statx_t
	err = p.root.statxAt(p.fd, nul, unix.STATX_BASIC_STATS, &st)
	return entryOf(&st), err
}

// rename renames, and replaces only if it may.
func (p *parent) rename(name string, to *parent, toName string, replace bool) error {
	err := p.move(name, to, toName, replace)
	if err == unix.ENOENT && p.exists(name) == nil {
		return to.newName(err)
	}
	return err
}

// move is rename. Where the file system cannot promise not to replace (NFS), the name is looked at first.
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
