package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/config"
	"ftpd/pkg/spelling"
)

// Rules, mounts and files.hide name paths. Many file systems take several spellings for one name.
// They ignore case (vfat, exFAT, NTFS, CIFS, APFS, a casefold directory of ext4), differences of
// Unicode normalization, or dots and blanks at the end, and they have short names (PRIVAT~1). The
// path of an open file does not help, because the kernel returns the spelling that was looked up.
//
// Therefore a name that could be another spelling of a ruled name is compared with it: both are
// looked up in the directory. Other names cost no call, and no file system is written to.

// A spelled is a cleaned absolute FTP path with its folded text, which all its spellings share.
type spelled struct{ path, folded string }

func spell(name string) spelled { return spelled{name, spelling.FoldPath(name)} }

// head returns the first n components.
func (s spelled) head(n int) spelled { return spelled{head(s.path, n), head(s.folded, n)} }

func head(name string, n int) string {
	at := 0
	for ; n > 0; n-- {
		next := strings.IndexByte(name[at+1:], '/')
		if next < 0 {
			return name
		}
		at += 1 + next
	}
	return name[:max(at, 1)]
}

// depth returns the number of components.
func depth(name string) int {
	if name == "/" {
		return 0
	}
	return strings.Count(name, "/")
}

// A likeness is the result of a comparison of two spellings. The order matters: the likeness of two
// paths is the lowest of their components.
type likeness int

const (
	different likeness = iota
	absent             // neither spelling exists
	perhaps            // as absent, in a directory that ignores case; or it cannot be known
	same
)

// covers compares p with the first components of a place of m. It returns different if the place
// does not lie at p or below it.
func (f *FS) covers(m *mount, place, p spelled) likeness {
	n := depth(p.path)
	if n > depth(place.path) {
		return different
	}
	return f.compare(m, place.head(n), p)
}

// leads compares a place of m with the first components of p. It returns different if the place
// does not lie at p or above it.
func (f *FS) leads(m *mount, place, p spelled) likeness {
	n := depth(place.path)
	if n > depth(p.path) {
		return different
	}
	return f.compare(m, place, p.head(n))
}

// compare compares two paths with the same number of components. The first is a place of m.
func (f *FS) compare(m *mount, place, p spelled) likeness {
	if place.path == p.path {
		return same
	}
	if place.folded != p.folded &&
		!strings.Contains(place.path, "~") && !strings.Contains(p.path, "~") {
		return different
	}
	least := same
	above, names, others := "/", strings.Split(place.path, "/"), strings.Split(p.path, "/")
	for i, name := range names {
		if name != others[i] {
			least = min(least, f.spellings(m, above, name, others[i]))
		}
		if least == different {
			break
		}
		above = path.Join(above, name)
	}
	return least
}

// spellings compares two names in the directory above. The path of a mount exists only in the
// configuration, so it has only one spelling.
func (f *FS) spellings(m *mount, above, name, other string) likeness {
	alike := spelling.Fold(name) == spelling.Fold(other) ||
		spelling.MayBeShort(name) || spelling.MayBeShort(other)
	if !alike || !config.Within(above, m.path) {
		return different
	}
	dir, err := m.root.parent(m.below(above))
	switch {
	case gone(err):
		return different
	case err != nil:
		return perhaps
	}
	defer dir.close()
	return dir.likeness(name, other)
}

// below returns the path relative to the mount of an FTP path at or below the mount.
func (m *mount) below(name string) string {
	rel := strings.TrimPrefix(strings.TrimPrefix(name, m.path), "/")
	if rel == "" {
		return "."
	}
	return rel
}

// gone reports whether err means that no entry has the name, or that none can have it.
func gone(err error) bool {
	k := kind(err)
	return err != nil &&
		(errors.Is(k, fs.ErrNotExist) || errors.Is(k, ErrName) || errors.Is(k, ErrNotDir))
}

// likeness compares two names in the directory.
func (p *parent) likeness(name, other string) likeness {
	if p.exactNames() {
		return different
	}
	found := p.lookups(name, other)
	if found != absent {
		return found
	}
	if p.folds() {
		return perhaps
	}
	return different
}

// lookups compares two names by the files they lead to. Some FUSE file systems make up an inode
// number for each spelling. There, two names that the directory both lists are different.
func (p *parent) lookups(name, other string) likeness {
	one, err := p.lookup(name)
	two, failed := p.lookup(other)
	switch {
	case gone(err) && gone(failed):
		return absent
	case gone(err), gone(failed):
		return different
	case err != nil, failed != nil:
		return perhaps
	case one.Ino != 0 && one.Ino == two.Ino && one.Dev == two.Dev:
		return same
	}
	if p.lists(name) && p.lists(other) {
		return different
	}
	return same
}

// folds reports whether the directory ignores case, which is the case if another spelling of one of
// its entries leads to that entry. It returns true if the directory has no entry to try this with.
func (p *parent) folds() bool {
	if p.exactNames() {
		return false
	}
	entry, err := p.find(func(name string) bool { return spelling.SwapCase(name) != name })
	return err != nil || p.lookups(entry, spelling.SwapCase(entry)) != different
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

// hides reports whether files.hide matches another spelling of a name on the way to a place.
func (f *FS) hides(m *mount, place string) bool {
	if len(f.hide) == 0 || place == "." {
		return false
	}
	above := "."
	for name := range strings.SplitSeq(place, "/") {
		if f.hidesIn(m, above, name) {
			return true
		}
		above = path.Join(above, name)
	}
	return false
}

func (f *FS) hidesIn(m *mount, above, name string) bool {
	like := f.hide.like(name)
	if !like && !spelling.MayBeShort(name) {
		return false
	}
	dir, err := m.root.parent(above)
	if err != nil {
		return !gone(err)
	}
	defer dir.close()
	return like && dir.folds() || spelling.MayBeShort(name) && dir.listedOtherwise(name)
}

// listedOtherwise reports whether the directory has an entry with this name that it lists under
// another name.
func (p *parent) listedOtherwise(name string) bool {
	if p.exactNames() {
		return false
	}
	_, err := p.lookup(name)
	return !gone(err) && !p.lists(name)
}

// like reports whether a pattern could match another spelling of a name.
func (h hiding) like(name string) bool {
	folded := spelling.Fold(name)
	return slices.ContainsFunc(h, func(p pattern) bool {
		if folded == name && p.folded == p.text {
			return false // another spelling would not match either
		}
		return match(p.folded, folded) || match(p.text, folded)
	})
}
