// Package spelling compares names as file systems do that take several spellings for one name.
package spelling

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// FoldPath folds each component. Most paths are already folded.
func FoldPath(name string) string {
	if isFolded(name) {
		return name
	}
	var folded strings.Builder
	for component := range strings.SplitSeq(strings.TrimPrefix(name, "/"), "/") {
		folded.WriteByte('/')
		folded.WriteString(Fold(component))
	}
	return folded.String()
}

// isFolded reports whether folding leaves an ASCII path as it is. A result of false is not certain.
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

// Fold returns a text that is the same for all spellings of a name. Two names with the same text
// are not necessarily spellings of one name.
func Fold(name string) string {
	if stream := strings.IndexByte(name, ':'); stream > 0 {
		name = name[:stream] // on NTFS "name:" and "name::$DATA" are the file itself
	}
	return FoldLetters(strings.TrimRight(name, ". "))
}

// FoldLetters folds the letters of a name or a pattern.
func FoldLetters(name string) string {
	if strings.IndexFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		return strings.ToLower(name)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r <= unicode.MaxASCII:
			return unicode.ToLower(r)
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf,
			unicode.Other_Default_Ignorable_Code_Point):
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, lettersOf.Replace(norm.NFKD.String(name)))
}

// lettersOf replaces the letters that case folding replaces and NFKD does not.
var lettersOf = strings.NewReplacer("ß", "ss", "ẞ", "ss", "\u0345", "ι")

// MayBeShort reports whether a name may be a short name of DOS: at most eight bytes that end with
// "~" and a number, and an extension of at most three bytes.
func MayBeShort(name string) bool {
	stem, ending, _ := strings.Cut(name, ".")
	digits := strings.TrimRight(stem, "0123456789")
	return len(stem) <= 8 && len(ending) <= 3 &&
		len(digits) < len(stem) && strings.HasSuffix(digits, "~")
}

// SwapCase returns another spelling for file systems that ignore case, if the name has an ASCII
// letter.
func SwapCase(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			return r ^ 0x20
		}
		return r
	}, name)
}
