package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Position is a position in a file. Line and Column begin at 1; 0 means unknown.
type Position struct {
	File   string
	Line   int
	Column int
}

// String returns "file", "file:line" or "file:line:column".
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Problem is an error or a warning about a configuration.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // 0: the whole file
	Column  int    `json:"column,omitempty"` // in bytes; of a syntax error only
	Key     string `json:"key,omitempty"`    // "user.rule.path"; "" in a syntax error
	Text    string `json:"text"`             // what is wrong, and what to write instead if known
	Warning bool   `json:"warning"`          // does not prevent the start
}

// String returns the line that users read, such as
// "/etc/ftpd.toml:12: limits.idle_timout: unknown key; did you mean idle_timeout?".
func (p Problem) String() string {
	parts := []string{Position{p.File, p.Line, p.Column}.String()}
	if p.Warning {
		parts = append(parts, "warning")
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	return printable(strings.Join(append(parts, p.Text), ": "))
}

// printable escapes the characters that would break the line or confuse the terminal, because
// keys and names of files may contain any character.
func printable(line string) string {
	var b strings.Builder
	for _, r := range line {
		if isControl(r) {
			fmt.Fprintf(&b, `\u%04X`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isControl reports whether a character is a control character, or changes the line or the
// direction of the text.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Problems are several problems, in the order of the files and their lines.
type Problems []Problem

// Error returns one line for each problem, without a newline at the end.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the problems that are not warnings.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Warning })
}

// Warnings returns the problems that are warnings.
func (ps Problems) Warnings() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return !p.Warning })
}

// arrange sorts the problems by position. It merges an error of a key with the error that the
// same key is not supported, so that one mistake is one line. The files are in the order in
// which they were read.
func (ps Problems) arrange(files []string) Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			slices.Index(files, a.File)-slices.Index(files, b.File),
			a.Line-b.Line,
			strings.Compare(a.Key, b.Key),
		)
	})
	var out Problems
	for _, p := range ps {
		if n := len(out) - 1; n >= 0 && !p.Warning && !out[n].Warning &&
			p.File == out[n].File && p.Line == out[n].Line && p.Key == out[n].Key && p.Key != "" &&
			strings.HasPrefix(p.Text, notSupported) {
			out[n].Text += "; also " + notSupported
			continue
		}
		out = append(out, p)
	}
	return out
}
