package config

import (
	"slices"
	"strconv"
	"strings"
)

// The TOML decoder does not return the positions of keys. An indexer parses the same text again,
// after the decoder has accepted it, and returns only positions: a tree of entries with the
// structure of the decoded tables and arrays.

// An entry is the position of a key, or of an item of an array.
type entry struct {
	line  int               // of the key; of the value for an item
	start int               // offset of the first byte of the value
	raw   string            // text of the value; "" for a table that has a header
	keys  map[string]*entry // of a table
	items []*entry          // of an array, or of an array of tables
}

// key returns the entry of a key below e, and adds a new one if there is none.
func (e *entry) key(name string, line int) *entry {
	if e.keys == nil {
		e.keys = map[string]*entry{}
	}
	if e.keys[name] == nil {
		e.keys[name] = &entry{line: line}
	}
	return e.keys[name]
}

// table follows the parts of a dotted key, through the last item of each array of tables.
func (e *entry) table(parts []string, line int) *entry {
	for _, part := range parts {
		e = e.key(part, line)
		if len(e.items) > 0 {
			e = e.items[len(e.items)-1]
		}
	}
	return e
}

// An indexer parses TOML that is known to be valid. At invalid text it ends early and returns
// the entries that it has.
type indexer struct {
	text  string
	at    int
	lines []int // offsets of the newlines

	// duplicate is the offset of a key that has a value already, or -1. The decoder accepts such
	// a key after a dotted key.
	duplicate int
}

// index returns the tree of a valid text, and the offset of a key with a second value, or -1.
func index(text string) (root *entry, duplicate int) {
	x := &indexer{text: text, duplicate: -1}
	for i := range len(text) {
		if text[i] == '\n' {
			x.lines = append(x.lines, i)
		}
	}
	root = &entry{line: 1}
	table := root
	for x.skipBlank(); x.at < len(x.text); x.skipBlank() {
		before, line := x.at, x.line()
		if x.accept("[[") {
			parts := x.keys()
			x.accept("]]")
			parent := root.table(parts[:len(parts)-1], line).key(parts[len(parts)-1], line)
			table = &entry{line: line}
			parent.items = append(parent.items, table)
		} else if x.accept("[") {
			table = root.table(x.keys(), line)
			x.accept("]")
		} else {
			x.pair(table)
		}
		if x.at == before {
			break
		}
	}
	return root, x.duplicate
}

// line returns the line of the next byte.
func (x *indexer) line() int {
	n, _ := slices.BinarySearch(x.lines, x.at)
	return n + 1
}

// skipBlank skips white space, newlines and comments.
func (x *indexer) skipBlank() {
	for x.at < len(x.text) {
		switch x.text[x.at] {
		case ' ', '\t', '\r', '\n':
			x.at++
		case '#':
			x.skipTo("\n")
		default:
			return
		}
	}
}

// skipSpace skips white space within a line.
func (x *indexer) skipSpace() {
	for x.at < len(x.text) && (x.text[x.at] == ' ' || x.text[x.at] == '\t') {
		x.at++
	}
}

// skipTo skips to the next of the bytes, or to the end.
func (x *indexer) skipTo(bytes string) {
	if n := strings.IndexAny(x.text[x.at:], bytes); n >= 0 {
		x.at += n
	} else {
		x.at = len(x.text)
	}
}

// accept skips a token if it is next, and reports whether it was.
func (x *indexer) accept(token string) bool {
	if !strings.HasPrefix(x.text[x.at:], token) {
		return false
	}
	x.at += len(token)
	return true
}

// keys parses a dotted key, and returns its parts. There is at least one.
func (x *indexer) keys() []string {
	var parts []string
	for {
		x.skipSpace()
		start := x.at
		if q := x.quote(); q != "" {
			x.skipString(q)
			parts = append(parts, unquote(x.text[start:x.at], q))
		} else {
			x.skipTo(" \t\r\n.=]},#")
			parts = append(parts, x.text[start:x.at])
		}
		x.skipSpace()
		if !x.accept(".") {
			return parts
		}
	}
}

// pair parses "key = value", and adds the entry to a table.
func (x *indexer) pair(table *entry) {
	line, start := x.line(), x.at
	parts := x.keys()
	e := table.table(parts[:len(parts)-1], line).key(parts[len(parts)-1], line)
	if x.duplicate < 0 && (e.keys != nil || e.items != nil || e.raw != "") {
		x.duplicate = start
	}
	if x.accept("=") {
		x.skipSpace()
		x.value(e)
	}
}

// value parses a value of any kind.
func (x *indexer) value(e *entry) {
	e.start = x.at
	switch q := x.quote(); {
	case q != "":
		x.skipString(q)
	case x.accept("["):
		x.each("]", func() {
			item := &entry{line: x.line()}
			e.items = append(e.items, item)
			x.value(item)
		})
	case x.accept("{"):
		x.each("}", func() { x.pair(e) })
	default:
		x.skipTo(",]}#\r\n")
	}
	e.raw = strings.TrimSpace(x.text[e.start:x.at])
}

// each calls item for each of the items with commas between them, and skips the closing token.
func (x *indexer) each(closing string, item func()) {
	for x.skipBlank(); x.at < len(x.text) && !x.accept(closing); x.skipBlank() {
		before := x.at
		item()
		x.skipBlank()
		x.accept(",")
		if x.at == before {
			return
		}
	}
}

// quote returns the opening quote that is next, which has one or three characters, or "".
func (x *indexer) quote() string {
	for _, q := range []string{`"""`, `'''`, `"`, `'`} {
		if strings.HasPrefix(x.text[x.at:], q) {
			return q
		}
	}
	return ""
}

// skipString skips a string with the given quote. A string in three quotes may end with up to
// two more.
func (x *indexer) skipString(quote string) {
	x.at += len(quote)
	for x.at < len(x.text) && !x.accept(quote) {
		if x.text[x.at] == '\\' && quote[0] == '"' {
			x.at++
		}
		x.at = min(x.at+1, len(x.text))
	}
	for n := 0; n < 2 && len(quote) == 3 && x.accept(quote[:1]); n++ {
	}
}

// unquote returns the content of a quoted key.
func unquote(s, quote string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, quote), quote)
	if quote[0] == '\'' {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		hex := s[min(i+1, len(s)):min(i+1+digits, len(s))]
		if n, err := strconv.ParseUint(hex, 16, 32); digits > 0 && err == nil {
			b.WriteRune(rune(n))
			i += digits
			continue
		}
		if c := strings.IndexByte("btnfre", s[i]); c >= 0 {
			b.WriteByte("\b\t\n\f\r\x1b"[c])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
