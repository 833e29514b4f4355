package spelling

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// All spellings of a name have the same folded text, and that of a path consists of those of its
// components.
func FuzzFold(f *testing.F) {
	for _, seed := range []string{
		"private", "ünder", "Straße", "ſecret", "İstanbul", "ᾳ", "ﬁle", "a.b. ", "...", "K",
		"\xff", "한글", "a:b", "PRIVAT~1", "ǰ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || strings.ContainsAny(name, "/\x00") || name[0] == ':' ||
			!utf8.ValidString(name) || len(name) > 100 {
			return
		}
		folded := Fold(name)
		for _, other := range []string{name, strings.ToUpper(name), strings.ToLower(name),
			SwapCase(name), norm.NFC.String(name), norm.NFD.String(name),
			name + ".", name + " ", name + ". .", name + ":", name + "::$DATA"} {
			if Fold(other) != folded {
				t.Errorf("%q is folded to %q, %q to %q", name, folded, other, Fold(other))
			}
		}
		if name == "." || name == ".." {
			return
		}
		whole := FoldPath(path.Join("/Dir", name, "file"))
		if whole != "/dir/"+folded+"/file" || strings.Count(whole, "/") != 3 {
			t.Errorf("/Dir/%s/file is folded to %q", name, whole)
		}
	})
}

func TestShortNames(t *testing.T) {
	for name, want := range map[string]bool{"PRIVAT~1": true, "PRIVAT~1.TXT": true,
		"PR1A2B~1.TX": true, "~1": true, "A~12": true, "private": false, "a~b": false,
		"private~1": false, "A~1.html": false, "A~": false, "A~1.": true, ".git~1": false} {
		if MayBeShort(name) != want {
			t.Errorf("%q: %v, want %v", name, MayBeShort(name), want)
		}
	}
}
