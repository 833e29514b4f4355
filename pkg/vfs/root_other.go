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

// A root is the directory of a mount, as an os.Root: it refuses absolute links, and ones that lead outside. Where permissions depend
// on the path there is no asking where an open file really is, so links are then not followed at all, and each directory on the way
// is compared with what its name stood for. (The build tag osroot tests this on Linux.)
type root struct {
	top    *os.Root
	places bool
	faults Faults
}

// Confinement names what holds sessions to their directories.
const Confinement = "os.Root"

// Probe says what this system lacks to confine anybody, nil if nothing.
func Probe() error { return nil }

// openRoot opens a directory of the host. With places, the other methods tell where things really are.
func openRoot(dir string, places bool, faults Faults) (*root, error) {
	if err := faults.ask("openroot"); err != nil {
		return nil, err
	}
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, noRoot(err, func() (fs.FileInfo, error) { return os.Stat(dir) })
	}
	return &root{top: top, places: places, faults: faults}, nil
}

// noRoot is why a directory could not be opened. os.Root has an error without a number for what is none.
func noRoot(err error, stat func() (fs.FileInfo, error)) error {
	if info, failed := stat(); failed == nil && !info.IsDir() {
		return ErrNotDir
	}
	return err
}

func (r *root) close() { _ = r.top.Close() }

// A parent is a directory whose entries are looked at, made, renamed or removed.
type parent struct {
	root  *root
	dir   *os.Root
	place string // of the directory: "." for the root's
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
	if r.places {
		return r.walk(rel)
	}
	if err := r.faults.ask("openroot"); err != nil {
		return nil, err
	}
	dir, err := r.top.OpenRoot(local)
	if err != nil {
		return nil, noRoot(err, func() (fs.FileInfo, error) { return r.top.Stat(local) })
	}
	return &parent{root: r, dir: dir, place: rel}, nil
}

// walk resolves a directory without following links. A directory that was opened is the one whose name was looked at before, or that
// name was changed meanwhile.
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
	if err := p.root.faults.ask("openroot"); err != nil {
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

// split resolves the directory that rel lies in. The mount itself lies in itself, as ".".
func (r *root) split(rel string) (*parent, string, error) {
	base := path.Base(rel)
	if _, err := localize(base); err != nil {
		return nil, "", ErrName
	}
	dir, err := r.parent(path.Dir(rel))
	return dir, base, err
}

// stat describes what rel leads to, or with follow false the last link itself. When it was created costs nothing more, where it is
// known at all.
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
	if r.places {
		return Entry{}, "", fs.ErrPermission
	}
	if err := r.faults.ask("stat"); err != nil {
		return Entry{}, "", err
	}
	info, err = r.top.Stat(filepath.FromSlash(rel))
	if err != nil {
		return Entry{}, "", err
	}
	return entryOf(info), rel, nil
}

// enter resolves a directory that the user may enter, and tells its place.
func (r *root) enter(rel string) (string, error) {
	dir, err := r.parent(rel)
	if err != nil {
		return "", err
	}
	defer dir.close()
	_, err = dir.lstat(".")
	return rel, err
}

// open opens a regular file, for reading or writing (os.O_RDONLY, os.O_WRONLY, os.O_APPEND), without waiting for a FIFO's other end.
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
	if err := r.faults.ask("open"); err != nil {
		return opened{}, err
	}
	var f *os.File
	switch link := before.Mode()&fs.ModeSymlink != 0; {
	case link && r.places:
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
	if err == nil && r.places && !os.SameFile(before, info) {
		err = fs.ErrPermission
	}
	if err != nil {
		_ = f.Close()
		return opened{}, err
	}
	return opened{file: f, size: info.Size(), place: rel}, nil
}

// regular describes an open file, if it is one.
func regular(f *os.File) (fs.FileInfo, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, ErrIsDir
	case !info.Mode().IsRegular():
		return nil, ErrNotRegular
	}
	return info, nil
}

func (p *parent) lstat(name string) (fs.FileInfo, error) {
	if err := p.root.faults.ask("lstat"); err != nil {
		return nil, err
	}
	return p.dir.Lstat(name)
}

// exists is nil where something has the name.
func (p *parent) exists(name string) error {
	_, err := p.lstat(name)
	return err
}

// lookup describes what has the name.
func (p *parent) lookup(name string) (Entry, error) {
	info, err := p.lstat(name)
	if err != nil {
		return Entry{}, err
	}
	return entryOf(info), nil
}

// plain reports whether a name is known to have one spelling only.
func (p *parent) plain() bool { return false }

func (p *parent) readlink(name string) (string, error) {
	if err := p.root.faults.ask("readlink"); err != nil {
		return "", err
	}
	return p.dir.Readlink(name)
}

// create makes a file that is not there yet.
func (p *parent) create(name string, flags int, mode uint32) (*os.File, error) {
	if err := p.possible("create", name); err != nil {
		return nil, err
	}
	return p.dir.OpenFile(name, flags|os.O_CREATE|os.O_EXCL, fs.FileMode(mode))
}

func (p *parent) mkdir(name string, mode uint32) error {
	if err := p.possible("mkdir", name); err != nil {
		return err
	}
	return p.dir.Mkdir(name, fs.FileMode(mode))
}

// unlink removes anything but a directory. os.Root.Remove takes both, so what it is is looked at first.
func (p *parent) unlink(name string) error { return p.remove(name, false) }

func (p *parent) rmdir(name string) error { return p.remove(name, true) }

func (p *parent) remove(name string, dir bool) error {
	if err := p.possible("remove", name); err != nil {
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

// rename renames by the paths from the top, since no call takes two directories. It replaces only if it may; nothing but a look
// beforehand can be had for that.
func (p *parent) rename(name string, to *parent, toName string, replace bool) error {
	if err := p.possible("rename", name); err != nil {
		return err
	}
	if err := to.possible("rename", toName); err != nil {
		return err
	}
	if _, err := to.lstat(toName); !replace && err == nil {
		return fs.ErrExist
	}
	from, dest := path.Join(p.place, name), path.Join(to.place, toName)
	return p.root.top.Rename(filepath.FromSlash(from), filepath.FromSlash(dest))
}

// free is what the user could store here.
func (p *parent) free() (int64, error) {
	if err := p.root.faults.ask("fstatfs"); err != nil {
		return 0, err
	}
	dir, err := p.dir.Open(".")
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	return freeAt(dir)
}

// possible asks whether the call may be made and the system can have such a name.
func (p *parent) possible(call, name string) error {
	if _, err := localize(name); err != nil {
		return ErrName
	}
	return p.root.faults.ask(call)
}

// hasDefaultACL reports whether the ACL of new entries comes from the directory.
func (p *parent) hasDefaultACL() (bool, error) { return false, nil }

// writable cannot tell here; making a file does.
func (p *parent) writable() error { return nil }

// A dirReader reads a directory. Entries are described through the os.Root: what os.File.ReadDir knows comes by path.
type dirReader struct {
	parent *parent
	owns   bool // closes the parent, too
	file   *os.File
	read   []string // and not looked at yet
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

// reader reads the directory, which must stay open meanwhile.
func (p *parent) reader() (*dirReader, error) {
	if err := p.root.faults.ask("open"); err != nil {
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

// next reads one entry, or io.EOF. The buffer is not used.
func (d *dirReader) next(detail Detail, _ []byte) (Entry, error) {
	for {
		if len(d.read) == 0 {
			if err := d.parent.root.faults.ask("readdir"); err != nil {
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
