package listing

import (
	"path"
	"strings"
)

// A Pattern is a pathname with a last component that chooses entries, as path.Match defines:
// *, ?, [a-z], [^a-z], and a backslash before a character that means itself. LIST and NLST
// take patterns for mget and mdelete of ftp(1) and similar clients, which leave the matching
// to the server.
type Pattern struct {
	Dir  string // as the client wrote it, with its slash; may be empty
	Name string // the last component
}

const (
	patternChars = `*?[\`
	// maxPattern is the length in bytes of the longest pattern. It bounds the work for one
	// name, which is at most the product of both lengths. No name is longer, either.
	maxPattern = 255
)

// HasPattern reports whether a string contains a character that is special in a pattern.
func HasPattern(s string) bool { return strings.ContainsAny(s, patternChars) }

// ParsePattern reads a pathname as a pattern. It reports whether the pathname is one.
func ParsePattern(name string) (Pattern, bool) {
	cut := strings.LastIndexByte(name, '/') + 1
	p := Pattern{Dir: name[:cut], Name: name[cut:]}
	if len(p.Name) > maxPattern || !HasPattern(p.Name) {
		return p, false
	}
	_, err := path.Match(p.Name, "")
	return p, err == nil
}

// Match reports whether the pattern matches the name of an entry, which is not empty. A name
// that begins with a dot matches only if the pattern begins with one, as with ls.
func (p Pattern) Match(name []byte) bool {
	if name[0] == '.' && !strings.HasPrefix(strings.TrimPrefix(p.Name, `\`), ".") {
		return false
	}
	ok, _ := path.Match(p.Name, string(name))
	return ok
}
