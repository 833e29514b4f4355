package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Position is a place in a file. Line and Column begin at 1; 0 is "not known".
type Position struct {
	File   string
	Line   int
	Column int
}

// String is "file:line" or "file:line:column".
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// A Problem is one thing wrong with a configuration.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // 0: the whole file
	Column  int    `json:"column,omitempty"` // in bytes; of a syntax error only
	Key     string `json:"key,omitempty"`    // "limits.idle_timeout", "user.rule.path"; none in a syntax error
	Text    string `json:"text"`             // what is wrong, and what to write instead where that is known
	Warning bool   `json:"warning"`          // does not stop the start
}

// String is the line that users read: /etc/ftpd.toml:12: limits.idle_timout: unknown key; did you mean idle_timeout?
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

// printable spells out what would break the line or the terminal: keys and names of files may hold anything.
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

// isControl says whether a character is none to be seen: control characters, and what turns the direction of the text.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Problems are all that was found, in the order of the files and their lines.
type Problems []Problem

// Error is one line for each problem, without a newline at the end.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errors are those that are no warnings.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return p.Warning })
}

// Warnings are those that stop nothing.
func (ps Problems) Warnings() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p Problem) bool { return !p.Warning })
}

// arrange sorts the problems by place and makes one of those that say of the same key what is wrong and that it is not supported yet:
// one mistake is one line. The files are in the order of reading.
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
