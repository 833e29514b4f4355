// Package vfs is the only code that touches users' files: confined to what a session may see, with the permissions of the
// configuration, as the user.
//
// A session sees a view: a small table of mounts, each a directory of the host at an FTP path, the home at "/". A name goes to the
// mount with the longest path at or above it, is cut off there, and the rest is resolved by the kernel with the mount's directory as
// its root, as under chroot(2): "..", absolute symbolic links and directories that move meanwhile never lead outside (Linux:
// openat2(2) with RESOLVE_IN_ROOT; elsewhere: os.Root, which refuses absolute links). Hence
//
//   - an absolute link is looked up below the mount, even where it names a path of the host that lies inside;
//   - a link does not lead from one mount into another, nor into what a mount hides;
//   - a mount shows in the listing of its parent, in front of or instead of what lies there. The parent has to exist, or to be a mount
//     itself: no other directory is made up. Neither a mount nor the directories above it can be removed or renamed.
//
// Permissions are asked here, where the file is touched, for the path at which it really is: through links, where the configuration
// makes a difference between paths. CWD needs none, but leads only where anything is permitted at or below. Where a file system takes
// several spellings for one name, permissions, mounts and hidden names hold for all of them (spelling.go).
//
// One method is one section (impersonate.Identity.Do), so the kernel decides as it would for that user. A section never waits for
// the network. Reading, writing and closing an open file happen outside.
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
)

// Options say what a session may see, and as whom.
type Options struct {
	Mounts   []config.Mount        // the first is the home, at "/"; permissions in it are not asked, they are among Rights
	Identity *impersonate.Identity // nil: the process's own
	Rights   config.Rights
	Umask    config.Mode // the process's own umask is 0, so that this one decides
	Hide     []string    // patterns of names that are not there, as path.Match has them
	Faults   Faults
}

// Faults is asked before each system call on users' files, by the call's name. An error fails the call, which is then not made; by
// waiting it stops the call. It is for tests; nil lets all pass.
type Faults func(call string) error

// ask asks, where there is anybody to ask.
func (f Faults) ask(call string) error {
	if f == nil {
		return nil
	}
	return f(call)
}

// An FS is the view of one session. Its methods may be called from several goroutines at the same time. Names are absolute FTP paths
// of any bytes but NUL; errors are those of errors.go.
type FS struct {
	mounts   []*mount // immutable; the longest path first, the home last
	identity *impersonate.Identity
	base     config.Permissions // where no rule says otherwise
	rules    []rule             // the longest path first
	hide     hiding
	umask    atomic.Uint32
	suffix   func() string // of unique names
	places   bool          // permissions depend on the path, so the path of each resolved file is asked for

	// closing keeps descriptors alive while a call uses them: one that was closed, and opened anew by another session, would lead there.
	closing sync.RWMutex
	closed  bool // guarded by closing
}

// Open opens the directories of the mounts, as the user. The error says which one it was and why.
func Open(o Options) (*FS, error) {
	f := &FS{
		identity: o.Identity,
		base:     o.Rights.Base,
		hide:     hidingOf(o.Hide),
		suffix:   randomSuffix,
		places:   len(o.Mounts) > 1 || len(o.Rights.Rules) > 0 || len(o.Hide) > 0,
	}
	for _, r := range o.Rights.Rules {
		f.rules = append(f.rules, rule{spell(r.Path), r.Permissions})
	}
	f.SetUmask(o.Umask)
	if len(o.Mounts) == 0 || o.Mounts[0].Path != "/" {
		return nil, errors.New("the first mount is not the home")
	}
	err := f.identity.Do(func() error { return f.openMounts(o) })
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (f *FS) openMounts(o Options) error {
	for _, m := range o.Mounts {
		root, err := openRoot(m.Directory, f.places, o.Faults)
		if err != nil {
			what := "home"
			if m.Path != "/" {
				what = fmt.Sprintf("directory of the mount %q,", m.Path)
			}
			return fmt.Errorf("open %s %s: %w", what, m.Directory, kind(err))
		}
		clean := path.Clean(m.Path)
		f.add(&mount{path: clean, spelled: spell(clean), directory: m.Directory, root: root})
	}
	return nil
}

// Close ends the view, after the calls that are under way. Open files and directories stay usable until they are closed themselves;
// a directory yields nothing more.
func (f *FS) Close() error {
	f.closing.Lock()
	defer f.closing.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	for _, m := range f.mounts {
		m.root.close()
	}
	return nil
}

// section runs call as the user while the view is open. An error of the identity itself keeps its words.
func (f *FS) section(call func() error) error {
	f.closing.RLock()
	defer f.closing.RUnlock()
	if f.closed {
		return fs.ErrClosed
	}
	return f.identity.Do(func() error { return kind(call()) })
}

// on runs call as the user, with the place of name in the table of mounts, and says in the error what was being done. want is what
// the user needs at name: who has not got it does not learn from another error what exists there.
func (f *FS) on(op, name string, want config.Permissions, call func(at location) error) error {
	at, err := f.locate(name)
	switch {
	case err != nil:
	case !f.places && !f.base.Has(want):
		err = ErrNotAllowed
	case !f.places:
		err = f.section(func() error { return call(at) })
	default:
		err = f.section(func() error { return f.guarded(at, want, call) })
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", op, name, err)
	}
	return nil
}

// guarded runs call where permissions depend on the path.
func (f *FS) guarded(at location, want config.Permissions, call func(location) error) error {
	name := spell(at.name)
	if err := f.shown(at.mount, name); err != nil {
		return err
	}
	err := call(at)
	if err == nil {
		return nil
	}
	if refused := f.allow(at.mount, name, want); refused != nil {
		return refused
	}
	return err
}

// ChangeDir checks that name is a directory which the user may enter.
func (f *FS) ChangeDir(name string) error {
	return f.on("enter", name, 0, func(at location) error {
		place, err := at.root.enter(at.rel)
		if err != nil {
			return err
		}
		return f.enterable(at.mount, place)
	})
}

// Stat describes what name leads to, through links inside the view.
func (f *FS) Stat(name string) (Entry, error) { return f.stat("stat", name, true, false) }

// StatCreated is Stat, and asks for the time of creation, too.
func (f *FS) StatCreated(name string) (Entry, error) { return f.stat("stat", name, true, true) }

// Lstat describes name itself.
func (f *FS) Lstat(name string) (Entry, error) { return f.stat("lstat", name, false, false) }

func (f *FS) stat(op, name string, follow, created bool) (Entry, error) {
	var found Entry
	err := f.on(op, name, config.List, func(at location) error {
		e, place, err := at.root.stat(at.rel, follow, created)
		if err != nil {
			return err
		}
		e.Name = path.Base(at.name)
		found = e
		return f.permit(at.mount, place, config.List)
	})
	if err != nil {
		return Entry{}, err
	}
	return found, nil
}

// MakeDir makes a directory.
func (f *FS) MakeDir(name string) error {
	return f.on("make directory", name, config.Mkdir, func(at location) error {
		if at.rel == "." {
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

// Remove removes a file, a link or anything else but a directory (ErrIsDir).
func (f *FS) Remove(name string) error {
	return f.on("remove", name, config.Delete, func(at location) error {
		return f.within(at, config.Delete, (*parent).unlink)
	})
}

// RemoveDir removes an empty directory.
func (f *FS) RemoveDir(name string) error {
	return f.on("remove directory", name, config.Delete, func(at location) error {
		if f.holdsMount(at.mount, spell(at.name)) {
			return errMount
		}
		return f.within(at, config.Delete, (*parent).rmdir)
	})
}

// Rename renames a file or directory inside one mount. What exists at the new name is replaced where the user may overwrite it, else
// that is fs.ErrExist. A directory with rules or mounts in it stays: they hold for paths, so it would leave them behind.
func (f *FS) Rename(from, to string) error {
	target, err := f.locate(to)
	if err != nil {
		return fmt.Errorf("rename to %q: %w", to, err)
	}
	return f.on("rename", from, config.Rename, func(at location) error {
		if f.holdsMount(at.mount, spell(at.name)) || f.holdsMount(target.mount, spell(target.name)) {
			return errMount
		}
		if at.mount != target.mount {
			return ErrCrossMount
		}
		return f.within(at, config.Rename, func(dir *parent, base string) error {
			if f.ruled(at.mount, path.Join(dir.place, base)) {
				return errRuled
			}
			return f.within(target, config.Rename, func(toDir *parent, toBase string) error {
				return dir.rename(base, toDir, toBase, f.permit(at.mount, path.Join(toDir.place, toBase), config.Overwrite) == nil)
			})
		})
	})
}

// MayRename says whether name is there and the configuration permits to rename it.
func (f *FS) MayRename(name string) error {
	return f.on("rename", name, config.Rename, func(at location) error {
		if f.holdsMount(at.mount, spell(at.name)) {
			return errMount
		}
		err := f.within(at, config.Rename, func(dir *parent, base string) error {
			if f.ruled(at.mount, path.Join(dir.place, base)) {
				return errRuled
			}
			return nil
		})
		if err == nil {
			_, _, err = at.root.stat(at.rel, false, false)
		}
		return err
	})
}

// within resolves the directory that at lies in, asks for what the user needs at this place, and runs act on the last component.
func (f *FS) within(at location, want config.Permissions, act func(dir *parent, base string) error) error {
	if at.rel == "." {
		return errMount
	}
	dir, err := at.root.parent(path.Dir(at.rel))
	if err != nil {
		return err
	}
	defer dir.close()
	base := path.Base(at.rel)
	if err := f.permit(at.mount, path.Join(dir.place, base), want); err != nil {
		return err
	}
	return act(dir, base)
}

// mode takes the umask away from the mode of a new file or directory, where the parent has no default ACL: there the ACL decides and
// the kernel ignores the umask, so do we.
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
