//go:build !linux || osroot

package vfs

import (
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A root is the directory of a mount, as an os.Root, which refuses absolute links and links that
// lead outside. There is no call that returns the real path of an open file. If permissions depend
// on the path, links are therefore not followed at all, and each directory on the way is compared
// with the entry that was looked up before. (The build tag osroot tests this on Linux.)
type root struct {
	top         *os.Root
	needsPlaces bool
	faults      Faults
}

// Confinement is the name of what confines sessions to their directories.
const Confinement = "os.Root"

// Probe returns an error if this system lacks what confinement needs.
func Probe() error { return nil }

// openRoot opens a directory of the host. With needsPlaces the other methods return places.
func openRoot(dir string, needsPlaces bool, faults Faults) (*root, error) {
	if err := faults.check("openroot"); err != nil {
		return nil, err
	}
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, noRoot(err, func() (fs.FileInfo, error) { return os.Stat(dir) })
	}
	return &root{top: top, needsPlaces: needsPlaces, faults: faults}, nil
}

// noRoot returns why a directory could not be opened: ErrNotDir if it is none, because the error of
// os.Root has no number then.
func noRoot(err error, stat func() (fs.FileInfo, error)) error {
	if info, failed := stat(); failed == nil && !info.IsDir() {
		return ErrNotDir
	}
	return err
}

func (r *root) close() { _ = r.top.Close() }

// inside returns nil: no call returns where an open directory is. On these systems, one user of the
// system serves all users, and auth.Policy compares the names of their homes with the roots.
func (r *root) inside([]string) error { return nil }

// A parent is a directory whose entries are described, made, renamed or removed.
type parent struct {
	root  *root
	dir   *os.Root
	place string // of the directory; "." is the root
}

func (p *parent) close() {
	if p.dir != p.root.top {
		_ = p.dir.Close()
	}
}

// parent resolves a directory.
func (r *root) parent(rel string) (*parent, error) {
	if rel == "." {
		return &parent{root: r, dir: r.top, place: rel}, nil
	}
	local, err := localize(rel)
	if err != nil {
		return nil, ErrName
	}
	if r.needsPlaces {
		return r.walk(rel)
	}
	if err := r.faults.check("openroot"); err != nil {
		return nil, err
	}
	dir, err := r.top.OpenRoot(local)
	if err != nil {
		return nil, noRoot(err, func() (fs.FileInfo, error) { return r.top.Stat(local) })
	}
	return &parent{root: r, dir: dir, place: rel}, nil
}

// walk resolves a directory without following links. If an opened directory is not the one that was
// looked up by that name before, the name was changed meanwhile.
func (r *root) walk(rel string) (*parent, error) {
	at := &parent{root: r, dir: r.top, place: rel}
	for name := range strings.SplitSeq(rel, "/") {
		next, err := at.step(name)
		at.close()
		if err != nil {
			return nil, err
		}
		at.dir = next
	}
	return at, nil
}

func (p *parent) step(name string) (*os.Root, error) {
	before, err := p.lstat(name)
	if err != nil {
		return nil, err
	}
	if before.Mode()&fs.ModeSymlink != 0 {
		return nil, fs.ErrPermission
	}
	if !before.IsDir() {
		return nil, ErrNotDir
	}
	if err := p.root.faults.check("openroot"); err != nil {
		return nil, err
	}
	next, err := p.dir.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	after, err := next.Stat(".")
	if err == nil && !os.SameFile(before, after) {
		err = fs.ErrPermission
	}
	if err != nil {
		_ = next.Close()
		return nil, err
	}
	return next, nil
}

// split resolves the parent directory of rel. The parent of the mount is the mount itself, with the
// base ".".
func (r *root) split(rel string) (*parent, string, error) {
	base := path.Base(rel)
	if _, err := localize(base); err != nil {
		return nil, "", ErrName
	}
	dir, err := r.parent(path.Dir(rel))
	return dir, base, err
}

// stat describes the file that rel leads to; with follow false it describes the last link itself.
// The time of creation is always included if the system has it, because it costs no further call.
func (r *root) stat(rel string, follow, _ bool) (Entry, string, error) {
	dir, base, err := r.split(rel)
	if err != nil {
		return Entry{}, "", err
	}
	defer dir.close()
	info, err := dir.lstat(base)
	if err != nil {
		return Entry{}, "", err
	}
	if info.Mode()&fs.ModeSymlink == 0 {
		return entryOf(info), rel, nil
	}
	if !follow {
		e := entryOf(info)
		e.Target, err = dir.readlink(base)
		return e, rel, err
	}
	if r.needsPlaces {
		return Entry{}, "", fs.ErrPermission
	}
	if err := r.faults.check("stat"); err != nil {
		return Entry{}, "", err
	}
	info, err = r.top.Stat(filepath.FromSlash(rel))
	if err != nil {
		return Entry{}, "", err
	}
	return entryOf(info), rel, nil
}

// enter resolves a directory that the user may enter, and returns its place.
func (r *root) enter(rel string) (string, error) {
	dir, err := r.parent(rel)
	if err != nil {
		return "", err
	}
	defer dir.close()
	_, err = dir.lstat(".")
	return rel, err
}

// open opens a regular file for reading or writing (os.O_RDONLY, os.O_WRONLY, os.O_APPEND). It looks
// at the kind of the file before. If the name is exchanged meanwhile, it does not wait for the other
// end of a FIFO.
func (r *root) open(rel string, flags int) (opened, error) {
	dir, base, err := r.split(rel)
	if err != nil {
		return opened{}, err
	}
	defer dir.close()
	before, err := dir.lstat(base)
	if err != nil {
		return opened{}, err
	}
	if err := r.checkKind(rel, before); err != nil {
		return opened{}, err
	}
	if err := r.faults.check("open"); err != nil {
		return opened{}, err
	}
	var f *os.File
	switch link := before.Mode()&fs.ModeSymlink != 0; {
	case link && r.needsPlaces:
		err = fs.ErrPermission
	case link:
		f, err = r.top.OpenFile(filepath.FromSlash(rel), flags|nonblock, 0)
	default:
		f, err = dir.dir.OpenFile(base, flags|nonblock, 0)
	}
	if err != nil {
		return opened{}, err
	}
	info, err := regular(f)
	if err == nil && r.needsPlaces && !os.SameFile(before, info) {
		err = fs.ErrPermission
	}
	if err != nil {
		_ = f.Close()
		return opened{}, err
	}
	return opened{file: f, size: info.Size(), place: rel}, nil
}

// checkKind returns an error if rel, or what it leads to as a link, is not a regular file. info is
// that of rel itself.
func (r *root) checkKind(rel string, info fs.FileInfo) (err error) {
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = r.top.Stat(filepath.FromSlash(rel)); err != nil {
			return err
		}
	}
	return checkRegular(info)
}

// regular returns the FileInfo of an open file, and an error if it is not a regular file.
func regular(f *os.File) (fs.FileInfo, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return info, checkRegular(info)
}

func checkRegular(info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return ErrIsDir
	case !info.Mode().IsRegular():
		return ErrNotRegular
	}
	return nil
}

func (p *parent) lstat(name string) (fs.FileInfo, error) {
	if err := p.root.faults.check("lstat"); err != nil {
		return nil, err
	}
	return p.dir.Lstat(name)
}

// exists returns nil if the directory has an entry with that name.
func (p *parent) exists(name string) error {
	_, err := p.lstat(name)
	return err
}

// lookup describes the entry with that name.
func (p *parent) lookup(name string) (Entry, error) {
	info, err := p.lstat(name)
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

// exactNames reports whether each name is known to have only one spelling. It is never known here.
func (p *parent) exactNames() bool { return false }

func (p *parent) readlink(name string) (string, error) {
	if err := p.root.faults.check("readlink"); err != nil {
		return "", err
	}
	return p.dir.Readlink(name)
}

// create creates a file that does not exist yet.
func (p *parent) create(name string, flags int, mode uint32) (*os.File, error) {
	if err := p.checkCall("create", name); err != nil {
		return nil, err
	}
	return p.dir.OpenFile(name, flags|os.O_CREATE|os.O_EXCL, fs.FileMode(mode))
}

func (p *parent) mkdir(name string, mode uint32) error {
	if err := p.checkCall("mkdir", name); err != nil {
		return err
	}
	return p.dir.Mkdir(name, fs.FileMode(mode))
}

// unlink removes any entry but a directory. os.Root.Remove removes both, so the type is checked
// first.
func (p *parent) unlink(name string) error { return p.remove(name, false) }

func (p *parent) rmdir(name string) error { return p.remove(name, true) }

func (p *parent) remove(name string, dir bool) error {
	if err := p.checkCall("remove", name); err != nil {
		return err
	}
	info, err := p.lstat(name)
	switch {
	case err != nil:
		return err
	case dir && !info.IsDir():
		return ErrNotDir
	case !dir && info.IsDir():
		return ErrIsDir
	}
	return p.dir.Remove(name)
}

// rename renames an entry by paths below the root, because no call takes two directories. It
// replaces an existing entry only with replace. No call checks this atomically, so rename looks for
// the entry first.
func (p *parent) rename(name string, to *parent, toName string, replace bool) error {
	if err := p.checkCall("rename", name); err != nil {
		return err
	}
	if err := to.checkCall("rename", toName); err != nil {
		return err
	}
	if _, err := to.lstat(toName); !replace && err == nil {
		return fs.ErrExist
	}
	from, dest := path.Join(p.place, name), path.Join(to.place, toName)
	return p.root.top.Rename(filepath.FromSlash(from), filepath.FromSlash(dest))
}

// free returns how many bytes the user could store here.
func (p *parent) free() (int64, error) {
	if err := p.root.faults.check("fstatfs"); err != nil {
		return 0, err
	}
	dir, err := p.dir.Open(".")
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	return freeAt(dir)
}

// checkCall returns an error if the system cannot have such a name, or if the test fails the call.
func (p *parent) checkCall(call, name string) error {
	if _, err := localize(name); err != nil {
		return ErrName
	}
	return p.root.faults.check(call)
}

// hasDefaultACL reports whether the directory has an ACL for new entries. It always returns false
// here.
func (p *parent) hasDefaultACL() (bool, error) { return false, nil }

// writable returns nil: there is no check here. The creation of the file reports the error.
func (p *parent) writable() error { return nil }

// A dirReader reads a directory. Entries are described through the os.Root, because os.File.ReadDir
// would describe them by their paths.
type dirReader struct {
	parent *parent
	owns   bool // close closes the parent as well
	file   *os.File
	read   []string // names that were read and not yet returned
	names  filter
}

func (r *root) openDir(rel string, _ bool) (*dirReader, string, error) {
	dir, err := r.parent(rel)
	if err != nil {
		return nil, "", err
	}
	d, err := dir.reader()
	if err != nil {
		dir.close()
		return nil, "", err
	}
	d.owns = true
	return d, rel, nil
}

// reader opens the directory for reading. The parent must stay open meanwhile.
func (p *parent) reader() (*dirReader, error) {
	if err := p.root.faults.check("open"); err != nil {
		return nil, err
	}
	file, err := p.dir.Open(".")
	if err != nil {
		return nil, err
	}
	return &dirReader{parent: p, file: file}, nil
}

func (d *dirReader) close() {
	_ = d.file.Close()
	if d.owns {
		d.parent.close()
	}
}

// next returns one entry, or io.EOF. The buffer is not used.
func (d *dirReader) next(detail Detail, _ []byte) (Entry, error) {
	for {
		if len(d.read) == 0 {
			if err := d.parent.root.faults.check("readdir"); err != nil {
				return Entry{}, openKind(err)
			}
			names, err := d.file.Readdirnames(batchSize)
			if len(names) == 0 {
				if err == nil {
					err = io.EOF
				}
				return Entry{}, openKind(err)
			}
			d.read = names
		}
		name := d.read[0]
		d.read = d.read[1:]
		if pass, err := d.names.pass([]byte(name)); !pass {
			if err != nil {
				return Entry{}, err
			}
			continue
		}
		if detail == NamesOnly {
			return Entry{Name: name}, nil
		}
		e := d.entry(name)
		if kind(e.Unknown) != fs.ErrNotExist {
			return e, nil
		}
	}
}

func (d *dirReader) entry(name string) Entry {
	var e Entry
	info, err := d.parent.lstat(name)
	if err == nil {
		e = entryOf(info)
	}
	if err == nil && e.Mode&fs.ModeSymlink != 0 {
		e.Target, err = d.parent.readlink(name)
	}
	if err != nil {
		return Entry{Name: name, Mode: fs.ModeIrregular, Unknown: err}
	}
	e.Name = name
	return e
}
