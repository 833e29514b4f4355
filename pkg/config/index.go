package config

import (
	"slices"
	"strconv"
	"strings"
)

// The TOML decoder does not say where a key was written. An index reads the same text again, after the decoder has accepted it, and
// keeps nothing but places: a tree of entries in the shape of the decoded tables and arrays.

// An entry is where a key, or an item of an array, was written.
type entry struct {
	line  int               // of the key; of the value for an item
	start int               // offset of the value's first byte
	raw   string            // the value as it was typed; "" for a table that has a header
	keys  map[string]*entry // of a table
	items []*entry          // of an array, or of an array of tables
}

// key gives the entry of a key below e, making it when it is new.
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

// An indexer reads TOML that is known to be valid. On other text it ends early, with what it has.
type indexer struct {
	text  string
	at    int
	lines []int // offsets of the newlines
	clash int   // offset of a second value for one key, which the decoder lets pass after a dotted key; -1 for none
}

// index makes the tree of a valid text, and gives the offset of a value for a key that is a table already, or -1.
func index(text string) (root *entry, clash int) {
	x := &indexer{text: text, clash: -1}
	for i := range len(text) {
		if text[i] == '\n' {
			x.lines = append(x.lines, i)
		}
	}
	root = &entry{line: 1}
	table := root
	for x.blank(); x.at < len(x.text); x.blank() {
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
	return root, x.clash
}

// line is the line of the next byte.
func (x *indexer) line() int {
	n, _ := slices.BinarySearch(x.lines, x.at)
	return n + 1
}

// blank passes over blanks, newlines and comments.
func (x *indexer) blank() {
	for x.at < len(x.text) {
		switch x.text[x.at] {
		case ' ', '\t', '\r', '\n':
			x.at++
		case '#':
			x.to("\n")
		default:
			return
		}
	}
}

// space passes over blanks inside a line.
func (x *indexer) space() {
	for x.at < len(x.text) && (x.text[x.at] == ' ' || x.text[x.at] == '\t') {
		x.at++
	}
}

// to goes on to the next of the bytes, or to the end.
func (x *indexer) to(bytes string) {
	if n := strings.IndexAny(x.text[x.at:], bytes); n >= 0 {
		x.at += n
	} else {
		x.at = len(x.text)
	}
}

// accept passes over a token if it is next.
func (x *indexer) accept(token string) bool {
	if !strings.HasPrefix(x.text[x.at:], token) {
		return false
	}
	x.at += len(token)
	return true
}

// keys reads a dotted key: at least one part.
func (x *indexer) keys() []string {
	var parts []string
	for {
		x.space()
		start := x.at
		if q := x.quote(); q != "" {
			x.str(q)
			parts = append(parts, unquote(x.text[start:x.at], q))
		} else {
			x.to(" \t\r\n.=]},#")
			parts = append(parts, x.text[start:x.at])
		}
		x.space()
		if !x.accept(".") {
			return parts
		}
	}
}

// pair reads "key = value" into a table.
func (x *indexer) pair(table *entry) {
	line, start := x.line(), x.at
	parts := x.keys()
	e := table.table(parts[:len(parts)-1], line).key(parts[len(parts)-1], line)
	if x.clash < 0 && (e.keys != nil || e.items != nil || e.raw != "") {
		x.clash = start
	}
	if x.accept("=") {
		x.space()
		x.value(e)
	}
}

// value reads a value of any kind.
func (x *indexer) value(e *entry) {
	e.start = x.at
	switch q := x.quote(); {
	case q != "":
		x.str(q)
	case x.accept("["):
		x.each("]", func() {
			item := &entry{line: x.line()}
			e.items = append(e.items, item)
			x.value(item)
		})
	case x.accept("{"):
		x.each("}", func() { x.pair(e) })
	default:
		x.to(",]}#\r\n")
	}
	e.raw = strings.TrimSpace(x.text[e.start:x.at])
}

// each reads items with commas between them until the closing token.
func (x *indexer) each(closing string, item func()) {
	for x.blank(); x.at < len(x.text) && !x.accept(closing); x.blank() {
		before := x.at
		item()
		x.blank()
		x.accept(",")
		if x.at == before {
			return
		}
	}
}

// quote is the opening quote that is next: one, three, or none.
func (x *indexer) quote() string {
	for _, q := range []string{`"""`, `'''`, `"`, `'`} {
		if strings.HasPrefix(x.text[x.at:], q) {
			return q
		}
	}
	return ""
}

// str passes over a string with the given quote. A string in three quotes may end in up to two more.
func (x *indexer) str(quote string) {
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

// unquote is the content of a quoted key.
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
		if n, err := strconv.ParseUint(s[min(i+1, len(s)):min(i+1+digits, len(s))], 16, 32); digits > 0 && err == nil {
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
