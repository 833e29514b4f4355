package vfs

import (
	"errors"
	"io"
	"io/fs"

	"ftpd/pkg/spelling"
	"ftpd/pkg/view"
)

// The view compares names with those of rules and mounts, and with files.hide, as text (pkg/view).
// Whether two spellings lead to one entry, or a directory ignores case, is looked up here.

// Compare compares two names in a directory of the mount.
func (r *root) Compare(dir, name, other string) view.Likeness {
	p, err := r.parent(dir)
	switch {
	case gone(err):
		return view.Different
	case err != nil:
		return view.Perhaps
	}
	defer p.close()
	return p.likeness(name, other)
}

// Folds reports whether a directory of the mount ignores case.
func (r *root) Folds(dir string) bool {
	p, err := r.parent(dir)
	if err != nil {
		return !gone(err)
	}
	defer p.close()
	return p.folds()
}

// ListsOtherwise reports whether a directory of the mount has an entry with this name that it lists
// under another name.
func (r *root) ListsOtherwise(dir, name string) bool {
	p, err := r.parent(dir)
	if err != nil {
		return !gone(err)
	}
	defer p.close()
	return p.listsOtherwise(name)
}

// gone reports whether err means that no entry has the name, or that none can have it.
func gone(err error) bool {
	k := kind(err)
	return err != nil &&
		(errors.Is(k, fs.ErrNotExist) || errors.Is(k, ErrName) || errors.Is(k, ErrNotDir))
}

// likeness compares two names in the directory.
func (p *parent) likeness(name, other string) view.Likeness {
	if p.exactNames() {
		return view.Different
	}
	like, exist := p.lookups(name, other)
	if !exist && !p.folds() {
		return view.Different
	}
	return like
}

// lookups compares two names by the files they lead to. If neither exists, exist is false and the
// result is Perhaps. Some FUSE file systems make up an inode number for each spelling. There, two
// names that the directory both lists are different.
func (p *parent) lookups(name, other string) (like view.Likeness, exist bool) {
	one, err := p.lookup(name)
	two, failed := p.lookup(other)
	switch {
	case gone(err) && gone(failed):
		return view.Perhaps, false
	case gone(err), gone(failed):
		return view.Different, true
	case err != nil, failed != nil:
		return view.Perhaps, true
	case one.Ino != 0 && one.Ino == two.Ino && one.Dev == two.Dev:
		return view.Same, true
	}
	if p.lists(name) && p.lists(other) {
		return view.Different, true
	}
	return view.Same, true
}

// folds reports whether the directory ignores case, which is the case if another spelling of one of
// its entries leads to that entry. It returns true if the directory has no entry to try this with.
func (p *parent) folds() bool {
	if p.exactNames() {
		return false
	}
	entry, err := p.find(func(name string) bool { return spelling.SwapCase(name) != name })
	if err != nil {
		return true
	}
	like, _ := p.lookups(entry, spelling.SwapCase(entry))
	return like != view.Different
}

// lists reports whether the directory lists exactly this name. It returns false if the directory
// cannot be read to the end.
func (p *parent) lists(name string) bool {
	_, err := p.find(func(entry string) bool { return entry == name })
	return err == nil
}

// maxSearched bounds the search for an entry. In a larger directory, names that are not found are
// taken for other spellings.
const maxSearched = 50_000

// find returns the first entry for which wanted returns true, or io.EOF if there is none.
func (p *parent) find(wanted func(string) bool) (string, error) {
	dir, err := p.reader()
	if err != nil {
		return "", err
	}
	defer dir.close()
	b := batches.Get().(*batch)
	defer batches.Put(b)
	for range maxSearched {
		e, err := dir.next(NamesOnly, b.raw[:])
		if err != nil || wanted(e.Name) {
			return e.Name, err
		}
	}
	return "", io.EOF
}

// listsOtherwise reports whether the directory has an entry with this name that it lists under
// another name.
func (p *parent) listsOtherwise(name string) bool {
	if p.exactNames() {
		return false
	}
	_, err := p.lookup(name)
	return !gone(err) && !p.lists(name)
}
