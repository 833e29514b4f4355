package view

import (
	"path"
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
// looked up in the directory (Root). Other names cost no call, and no file system is written to.

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

// A Likeness is the result of a comparison of two spellings. The order matters: the likeness of two
// paths is the lowest of their components.
type Likeness int

const (
	Different Likeness = iota
	Perhaps            // neither exists, in a directory that ignores case; or it cannot be known
	Same
)

// covers compares p with the first components of a place of m. It returns Different if the place
// does not lie at p or below it.
func (m *Mount) covers(place, p spelled) Likeness {
	n := depth(p.path)
	if n > depth(place.path) {
		return Different
	}
	return m.compare(place.head(n), p)
}

// leads compares a place of m with the first components of p. It returns Different if the place
// does not lie at p or above it.
func (m *Mount) leads(place, p spelled) Likeness {
	n := depth(place.path)
	if n > depth(p.path) {
		return Different
	}
	return m.compare(place, p.head(n))
}

// compare compares two paths with the same number of components. The first is a place of m.
func (m *Mount) compare(place, p spelled) Likeness {
	if place.path == p.path {
		return Same
	}
	if place.folded != p.folded &&
		!strings.Contains(place.path, "~") && !strings.Contains(p.path, "~") {
		return Different
	}
	least := Same
	above, names, others := "/", strings.Split(place.path, "/"), strings.Split(p.path, "/")
	for i, name := range names {
		if name != others[i] {
			least = min(least, m.spellings(above, name, others[i]))
		}
		if least == Different {
			break
		}
		above = path.Join(above, name)
	}
	return least
}

// spellings compares two names in the directory above. The path of a mount exists only in the
// configuration, so it has only one spelling.
func (m *Mount) spellings(above, name, other string) Likeness {
	alike := spelling.Fold(name) == spelling.Fold(other) ||
		spelling.MayBeShort(name) || spelling.MayBeShort(other)
	if !alike || !config.Within(above, m.Path) {
		return Different
	}
	return m.Root.Compare(m.below(above), name, other)
}
