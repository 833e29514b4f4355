package transfer

import "strings"

// A Type is the representation type of a session's transfers (RFC 959 §3.1.1).
type Type uint8

const (
	// TypeUnset is the Type before the first TYPE of a login: ASCII by RFC 959 §5.1.
	TypeUnset Type = iota
	TypeASCII
	TypeImage
)

// ParseType reads the argument of TYPE: A, A N, I, L 7 (text) or L 8, in any case of letters, with
// or without blanks. It reports whether the type is one of these.
func ParseType(arg string) (Type, bool) {
	switch strings.ToUpper(strings.Join(strings.Fields(arg), "")) {
	case "A", "AN", "L7":
		return TypeASCII, true
	case "I", "L8":
		return TypeImage, true
	}
	return TypeUnset, false
}

// IsASCII reports whether line ends are converted.
func (t Type) IsASCII() bool { return t != TypeImage }
