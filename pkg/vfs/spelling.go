package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"ftpd/pkg/config"
)

// Rules, mounts and files.hide name paths, and many file systems take several spellings for one name: they ignore case (vfat, exFAT,
// NTFS, CIFS, APFS, a casefold directory of ext4), Unicode's forms, or dots and blanks at the end, and have short names (PRIVAT~1).
// The path of an open file is of no help: the kernel has the spelling that was looked up.
//
// So a name that could be another spelling of a ruled one is compared with it in its directory, by what the file system finds under
// both. No file system is asked about other names, and none is written to.

// A spelled is a cleaned absolute FTP path, beside it what all its spellings have in common.
type spelled struct{ path, folded string }

func spell(name string) spelled { return spelled{name, foldPath(name)} }

// head is the first n components.
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

// depth is the number of components.
func depth(name string) int {
	if name == "/" {
		return 0
	}
	return strings.Count(name, "/")
}

// foldPath folds each component. Most paths are their own folded ones.
func foldPath(name string) string {
	if isFolded(name) {
		return name
	}
	var folded strings.Builder
	for component := range strings.SplitSeq(strings.TrimPrefix(name, "/"), "/") {
		folded.WriteByte('/')
		folded.WriteString(fold(component))
	}
	return folded.String()
}

// isFolded reports whether no component of an ASCII path has another folded text; false is no answer.
func isFolded(name string) bool {
	for i, c := range []byte(name) {
		switch {
		case c > unicode.MaxASCII, c == ':', 'A' <= c && c <= 'Z':
			return false
		case (c == '.' || c == ' ') && (i+1 == len(name) || name[i+1] == '/'):
			return false
		}
	}
	return true
}

// fold gives all spellings of a name the same text. So it does to some names that no file system takes for one.
func fold(name string) string {
	if stream := strings.IndexByte(name, ':'); stream > 0 {
		name = name[:stream] // NTFS has the file itself as "name:" and "name::$DATA"
	}
	return foldLetters(strings.TrimRight(name, ". "))
}

// foldLetters folds a text that may be a pattern.
func foldLetters(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		return strings.ToLower(name)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r <= unicode.MaxASCII:
			return unicode.ToLower(r)
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point):
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, lettersOf.Replace(norm.NFKD.String(name)))
}

// lettersOf are those that case folding replaces by others, and NFKD does not.
var lettersOf = strings.NewReplacer("ß", "ss", "ẞ", "ss", "\u0345", "ι")

// short reports whether a name may be one that DOS made of a longer one: at most eight bytes that end with "~" and a number, and an
// ending of three.
func short(name string) bool {
	stem, ending, _ := strings.Cut(name, ".")
	digits := strings.TrimRight(stem, "0123456789")
	return len(stem) <= 8 && len(ending) <= 3 && len(digits) < len(stem) && strings.HasSuffix(digits, "~")
}

// swapCase is another spelling for file systems that ignore case, at least of a name with ASCII letters in it.
func swapCase(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			return r ^ 0x20
		}
		return r
	}, name)
}

// A likeness says whether two spellings are one name. The order matters: of several components the least one counts.
type likeness int

const (
	different likeness = iota
	absent             // there is nothing of either spelling
	perhaps            // as absent, where the directory takes several spellings for one; or it cannot be known
	same
)

// covers compares the way to a place of m with p, which is at or above it.
func (f *FS) covers(m *mount, place, p spelled) likeness {
	n := depth(p.path)
	if n > depth(place.path) {
		return different
	}
	return f.compare(m, place.head(n), p)
}

// leads compares a place of m with the way to p, which is at or below it.
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
	if place.folded != p.folded && !strings.Contains(place.path, "~") && !strings.Contains(p.path, "~") {
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

// spellings compares two names in the directory above. A mount has its path from the configuration: there only one spelling is right.
func (f *FS) spellings(m *mount, above, name, other string) likeness {
	if fold(name) != fold(other) && !short(name) && !short(other) || !config.Within(above, m.path) {
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

// below is a path of the view at or below a mount, relative to it.
func (m *mount) below(name string) string {
	rel := strings.TrimPrefix(strings.TrimPrefix(name, m.path), "/")
	if rel == "" {
		return "."
	}
	return rel
}

// gone reports whether nothing has a name, and nothing can have it.
func gone(err error) bool {
	k := kind(err)
	return err != nil && (errors.Is(k, fs.ErrNotExist) || errors.Is(k, ErrName) || errors.Is(k, ErrNotDir))
}

// likeness compares two names of the directory.
func (p *parent) likeness(name, other string) likeness {
	if p.plain() {
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

// lookups compares what two names lead to. Some file systems in user space make up an inode number for each spelling. There a name
// is its own if the directory lists it.
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

// folds reports whether the directory ignores case: another spelling of one of its entries leads to that entry. Where there is no entry to
// try that with, it is taken to do so.
func (p *parent) folds() bool {
	if p.plain() {
		return false
	}
	entry, err := p.find(func(name string) bool { return swapCase(name) != name })
	return err != nil || p.lookups(entry, swapCase(entry)) != different
}

// lists reports whether the directory has an entry of exactly this name. In one that cannot be read to the end there is none.
func (p *parent) lists(name string) bool {
	_, err := p.find(func(entry string) bool { return entry == name })
	return err == nil
}

// maxSearched bounds the search for an entry: in larger directories names are taken for other spellings.
const maxSearched = 50_000

// find is the first entry that is wanted; io.EOF if there is none.
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

// hides reports whether files.hide has another spelling of a name on the way to a place.
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
	if !like && !short(name) {
		return false
	}
	dir, err := m.root.parent(above)
	if err != nil {
		return !gone(err)
	}
	defer dir.close()
	return like && dir.folds() || short(name) && dir.disguised(name)
}

// disguised reports whether the directory has something by this name which it lists by another.
func (p *parent) disguised(name string) bool {
	if p.plain() {
		return false
	}
	_, err := p.lookup(name)
	return !gone(err) && !p.lists(name)
}

// like reports whether a pattern could match another spelling of a name.
func (h hiding) like(name string) bool {
	folded := fold(name)
	return slices.ContainsFunc(h, func(p pattern) bool {
		if folded == name && p.folded == p.text {
			return false // another spelling would not match, either
		}
		return match(p.folded, folded) || match(p.text, folded)
	})
}
