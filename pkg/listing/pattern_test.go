package listing

import (
	"path"
	"strings"
	"testing"
)

func TestParsePattern(t *testing.T) {
	long := strings.Repeat("x", maxPattern)
	for in, want := range map[string]Pattern{
		"*.txt": {"", "*.txt"}, "/a/b[1-3]": {"/a/", "b[1-3]"}, "*/?": {"*/", "?"},
		"plain": {}, "*/plain": {}, "[a-": {}, `a\`: {}, "": {}, "*" + long: {},
	} {
		got, ok := ParsePattern(in)
		if ok != (want != Pattern{}) || ok && got != want {
			t.Errorf("%q is %q, %v", in, got, ok)
		}
	}
}

// A pattern matches names as path.Match does, except that a name with a dot in front needs a
// pattern with one. An escaped name matches itself alone.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"*.txt", "a.txt"}, {"*", ".hidden"}, {`\.*`, ".hidden"}, {"[a-", "a"}, {"[^.]x", ".x"},
		{"?[\xff]*", "a\xff"}, {strings.Repeat("*a", 100) + "b", strings.Repeat("a", 250)},
		{`a\`, "a"},
	} {
		f.Add(seed[0], seed[1])
	}
	escape := strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`)
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if name == "" || strings.Contains(name, "/") || max(len(name), len(pattern)) > maxPattern {
			return
		}
		want, err := path.Match(pattern, name)
		got := Pattern{Name: pattern}.Match([]byte(name))
		hidden := name[0] == '.' && !strings.HasPrefix(strings.TrimPrefix(pattern, `\`), ".")
		if err == nil && got != (want && !hidden) || err != nil && got {
			t.Errorf("%q matches %q: %v", pattern, name, got)
		}
		exact := Pattern{Name: escape.Replace(name)}
		if !exact.Match([]byte(name)) || exact.Match([]byte(name+"x")) {
			t.Errorf("%q does not match itself alone", name)
		}
	})
}
