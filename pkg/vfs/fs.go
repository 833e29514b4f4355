// Package vfs is the only code that touches the files of users. It confines a session to its
// view, applies the permissions of the configuration, and makes system calls as the user.
//
// A view is a small table of mounts (package view). A mount is a directory of the host at an FTP
// path; the home is the mount at "/". A name belongs to the mount with the longest path at or above
// it. The rest of the name is resolved by the kernel with the mount's directory as its root, as
// under chroot(2). So "..", absolute symbolic links, and directories that are moved at the same
// moment never lead outside. (Linux: openat2(2) with RESOLVE_IN_ROOT. Other systems: os.Root, which
// refuses absolute links.) The consequences:
//
//   - An absolute link is looked up below the mount, even if it names a path of the host that
//     lies inside the mount.
//   - A link does not lead from one mount into another, nor into a directory that a mount hides.
//   - A mount is listed in its parent directory, where it hides an entry of the same name. The
//     parent has to exist, or to be a mount itself: vfs does not make up directories. A mount and
//     the directories above it can be neither removed nor renamed.
//
// Permissions are checked here, where the file is touched, by the rules of the view. If the
// configuration has different permissions for different paths, they are checked for the real path
// below the mount (the place), after all links. A rule whose own path leads through a link holds
// for its place as well. CWD needs no permission, but enters a directory only if some permission is
// granted in it or below it. Where a file system takes several spellings for one name, permissions,
// mounts and hidden names hold for all of them (spelling.go).
//
// One method is one section (impersonate.Identity.Do), so the kernel decides as it would for that
// user. A section never waits for the network. Reading, writing and closing an open file need no
// section.
package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"sync/atomic"

	"ftpd/pkg/config"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/view"
)

// Options hold the mounts of a view, its user and the restrictions of the configuration.
type Options struct {
	Mounts   []config.Mount        // the home at "/" first; Rights include their permissions
	Roots    []string              // the directories of the host that contain all mounts; nil: any
	Identity *impersonate.Identity // nil: the identity of the process
	Rights   config.Rights
	Umask    config.Mode // the only umask, because that of the process is 0
	Hide     []string    // patterns of hidden names, for path.Match
	Faults   Faults
}

// Faults is called before each system call on users' files, with the name of the call. If it
// returns an error, the system call is not made and fails with that error. A Faults that waits
// delays the call. It is for tests; nil lets all calls pass.
type Faults func(call string) error

// check calls f, if it is set.
func (f Faults) check(call string) error {
	if f == nil {
		return nil
	}
	return f(call)
}

// An FS is the view of one session. Its methods may be called from several goroutines at the same
// time. Names are absolute FTP paths, of any bytes but NUL. The errors are listed in errors.go.
type FS struct {
	view     *view.View            // immutable after Open, as roots is
	roots    map[*view.Mount]*root // the open directory of each mount
	identity *impersonate.Identity
	base     config.Permissions // of paths without a rule
	umask    atomic.Uint32
	suffix   func() string // returns the suffix of a unique name

	// needsPlaces is true if permissions depend on the path. Then each resolved file is
	// checked at its place.
	needsPlaces bool

	// closing is held for reading by each call, so that Close does not close a descriptor in
	// use: its number could already belong to a file of another session.
	closing sync.RWMutex
	closed  bool // guarded by closing
}

// Open opens the directories of the mounts, as the user. An error names the directory and the
// cause.
func Open(o Options) (*FS, error) {
	f := &FS{
		identity:    o.Identity,
		roots:       make(map[*view.Mount]*root),
		base:        o.Rights.Base,
		suffix:      randomSuffix,
		needsPlaces: len(o.Mounts) > 1 || len(o.Rights.Rules) > 0 || len(o.Hide) > 0,
	}
	f.SetUmask(o.Umask)
	if len(o.Mounts) == 0 || o.Mounts[0].Path != "/" {
		return nil, errors.New("the first mount is not the home")
	}
	err := f.identity.Do(func() error {
		mounts, err := f.openMounts(o)
		if err != nil {
			return err
		}
		f.view, err = view.New(mounts, o.Rights, o.Hide)
		return err
	})
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (f *FS) openMounts(o Options) (mounts []*view.Mount, err error) {
	for _, m := range o.Mounts {
		root, err := openRoot(m.Directory, f.needsPlaces, o.Faults)
		if err == nil {
			if err = root.inside(o.Roots); err != nil {
				root.close()
			}
		}
		if err != nil {
			what := "home"
			if m.Path != "/" {
				what = fmt.Sprintf("directory of the mount %q,", m.Path)
			}
			return nil, fmt.Errorf("open %s %s: %w", what, m.Directory, kind(err))
		}
		mount := &view.Mount{Path: m.Path, Directory: m.Directory, Root: root}
		f.roots[mount] = root
		mounts = append(mounts, mount)
	}
	return mounts, nil
}

// Close waits for the calls that are running and closes the view. Open files stay usable until
// they are closed themselves; an open directory yields no more entries.
func (f *FS) Close() error {
	f.closing.Lock()
	defer f.closing.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	for _, r := range f.roots {
		r.close()
	}
	return nil
}

// A location is the position of a name in the table of mounts, with the directory of the mount.
type location struct {
	view.Location
	root *root
}

// locate returns the location of a name.
func (f *FS) locate(name string) (location, error) {
	at, err := f.view.Locate(name)
	return location{at, f.roots[at.Mount]}, err
}

// section runs call as the user while the view is open. It returns an error of the identity
// unchanged.
func (f *FS) section(call func() error) error {
	f.closing.RLock()
	defer f.closing.RUnlock()
	if f.closed {
		return fs.ErrClosed
	}
	return f.identity.Do(func() error { return kind(call()) })
}

// on runs call as the user, with the location of name in the table of mounts. Its error names op
// and name. want is the permission that the user needs at name. Without it the error is
// ErrNotAllowed in any case, so that a client does not learn what exists there.
func (f *FS) on(op, name string, want config.Permissions, call func(at location) error) error {
	at, err := f.locate(name)
	switch {
	case err != nil:
	case !f.needsPlaces && !f.base.Has(want):
		err = ErrNotAllowed
	case !f.needsPlaces:
		err = f.section(func() error { return call(at) })
	default:
		err = f.section(func() error { return f.guarded(at, want, call) })
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", op, name, err)
	}
	return nil
}

// guarded runs call for a view in which permissions depend on the path.
func (f *FS) guarded(at location, want config.Permissions, call func(location) error) error {
	if err := at.Shown(); err != nil {
		return err
	}
	err := call(at)
	if err == nil {
		return nil
	}
	if refused := at.Allow(want); refused != nil {
		return refused
	}
	return err
}

// ChangeDir checks that name is a directory that the user may enter.
func (f *FS) ChangeDir(name string) error {
	return f.on("enter", name, 0, func(at location) error {
		place, err := at.root.enter(at.Rel)
		if err != nil {
			return err
		}
		return at.Enterable(place)
	})
}

// Stat describes the file that name leads to, through links inside the view.
func (f *FS) Stat(name string) (Entry, error) { return f.stat("stat", name, true, false) }

// StatCreated is Stat with the time of creation.
func (f *FS) StatCreated(name string) (Entry, error) { return f.stat("stat", name, true, true) }

// Lstat describes name itself, and does not follow a link.
func (f *FS) Lstat(name string) (Entry, error) { return f.stat("lstat", name, false, false) }

func (f *FS) stat(op, name string, follow, created bool) (Entry, error) {
	var found Entry
	err := f.on(op, name, config.List, func(at location) error {
		e, place, err := at.root.stat(at.Rel, follow, created)
		if err != nil {
			return err
		}
		e.Name = path.Base(at.Name)
		e.Granted = f.granted(at.Mount, place)
		if follow && f.needsPlaces {
			_, own, err := at.root.stat(at.Rel, false, false)
			if err != nil {
				return err
			}
			e.Granted = throughLink(e.Granted, f.granted(at.Mount, own))
		}
		found = e
		return at.Permit(place, config.List)
	})
	if err != nil {
		return Entry{}, err
	}
	return found, nil
}

// MakeDir creates a directory.
func (f *FS) MakeDir(name string) error {
	return f.on("make directory", name, config.Mkdir, func(at location) error {
		if at.Rel == "." {
			return fs.ErrExist
		}
		return f.within(at, config.Mkdir, func(dir *parent, base string) error {
			mode, err := f.mode(dir, 0o777)
			if err != nil {
				return err
			}
			return dir.mkdir(base, mode)
		})
	})
}

// Remove removes a file, a link or any other entry except a directory (ErrIsDir).
func (f *FS) Remove(name string) error {
	return f.on("remove", name, config.Delete, func(at location) error {
		return f.within(at, config.Delete, (*parent).unlink)
	})
}

// RemoveDir removes an empty directory.
func (f *FS) RemoveDir(name string) error {
	return f.on("remove directory", name, config.Delete, func(at location) error {
		if at.HoldsMount() {
			return errMount
		}
		return f.within(at, config.Delete, (*parent).rmdir)
	})
}

// Rename renames a file or directory inside one mount. It replaces an existing file at the new
// name if the user may overwrite it, else the error is fs.ErrExist. A directory that contains a
// rule or a mount cannot be renamed, because rules and mounts hold for paths and would not move
// with it.
func (f *FS) Rename(from, to string) error {
	target, err := f.locate(to)
	if err != nil {
		return fmt.Errorf("rename to %q: %w", to, err)
	}
	return f.on("rename", from, config.Rename, func(at location) error {
		if at.HoldsMount() || target.HoldsMount() {
			return errMount
		}
		if at.Mount != target.Mount {
			return ErrCrossMount
		}
		return f.within(at, config.Rename, func(dir *parent, base string) error {
			if at.Ruled(path.Join(dir.place, base)) {
				return errRuled
			}
			return f.within(target, config.Rename, func(toDir *parent, toBase string) error {
				newPlace := path.Join(toDir.place, toBase)
				replace := at.Permit(newPlace, config.Overwrite) == nil
				return dir.rename(base, toDir, toBase, replace)
			})
		})
	})
}

// MayRename returns nil if name exists and the configuration permits to rename it.
func (f *FS) MayRename(name string) error {
	return f.on("rename", name, config.Rename, func(at location) error {
		if at.HoldsMount() {
			return errMount
		}
		err := f.within(at, config.Rename, func(dir *parent, base string) error {
			if at.Ruled(path.Join(dir.place, base)) {
				return errRuled
			}
			return nil
		})
		if err == nil {
			_, _, err = at.root.stat(at.Rel, false, false)
		}
		return err
	})
}

// granted returns the permissions at a resolved place of m.
func (f *FS) granted(m *view.Mount, place string) config.Permissions {
	if !f.needsPlaces {
		return f.base
	}
	return m.Granted(place)
}

// throughLink returns what may be done to the target of a link by the name of the link. Delete and
// Rename act on the link itself.
func throughLink(target, link config.Permissions) config.Permissions {
	const own = config.Delete | config.Rename
	return target&^own | link&own
}

// within resolves the parent directory of at, checks that the user has the permission want at the
// place, and runs act on the last component.
func (f *FS) within(
	at location, want config.Permissions, act func(dir *parent, base string) error,
) error {
	if at.Rel == "." {
		return errMount
	}
	dir, err := at.root.parent(path.Dir(at.Rel))
	if err != nil {
		return err
	}
	defer dir.close()
	base := path.Base(at.Rel)
	if err := at.Permit(path.Join(dir.place, base), want); err != nil {
		return err
	}
	return act(dir, base)
}

// mode returns the mode of a new file or directory without the bits of the umask. If the parent
// has a default ACL, the umask is ignored, as it is by the kernel.
func (f *FS) mode(dir *parent, mode uint32) (uint32, error) {
	umask := f.umask.Load()
	if umask == 0 {
		return mode, nil
	}
	acl, err := dir.hasDefaultACL()
	if acl {
		return mode, err
	}
	return mode &^ umask, err
}
