package view

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"ftpd/pkg/spelling"
)

// hiding is a list of patterns of hidden names (files.hide). No user can list, reach or make a file
// with such a name, or anything below it.
type hiding []pattern

// A pattern is a pattern for path.Match, with another one for folded names.
type pattern struct{ text, folded string }

func hidingOf(patterns []string) (h hiding) {
	for _, p := range patterns {
		h = append(h, pattern{p, spelling.FoldLetters(p)})
	}
	return h
}

var errHiddenName = fmt.Errorf("hidden by files.hide: %w", fs.ErrNotExist)

// Hides reports whether files.hide matches a name in a directory, or another spelling of it. folds
// reports whether the directory ignores case; it is called only if needed.
func (v *View) Hides(name []byte, folds func() bool) bool {
	if len(v.hide) == 0 {
		return false
	}
	text := string(name)
	return v.hide.name(text) || v.hide.like(text) && folds()
}

// hides reports whether files.hide matches another spelling of a name on the way to a place.
func (m *Mount) hides(place string) bool {
	if len(m.view.hide) == 0 || place == "." {
		return false
	}
	above := "."
	for name := range strings.SplitSeq(place, "/") {
		if m.view.hide.like(name) && m.Root.Folds(above) ||
			spelling.MayBeShort(name) && m.Root.ListsOtherwise(above, name) {
			return true
		}
		above = path.Join(above, name)
	}
	return false
}

// match reports whether a pattern matches a name. Package config has checked the syntax of the
// pattern.
func match(pattern, name string) bool {
	matches, _ := path.Match(pattern, name)
	return matches
}

// name reports whether one name is hidden.
func (h hiding) name(name string) bool {
	return slices.ContainsFunc(h, func(p pattern) bool { return match(p.text, name) })
}

// path reports whether a cleaned path contains a hidden name.
func (h hiding) path(name string) bool {
	if len(h) == 0 {
		return false
	}
	for component := range strings.SplitSeq(name, "/") {
		if component != "" && component != "." && h.name(component) {
			return true
		}
	}
	return false
}

// like reports whether a pattern could match another spelling of a name.
func (h hiding) like(name string) bool {
	folded := spelling.Fold(name)
	return slices.ContainsFunc(h, func(p pattern) bool {
		if folded == name && p.folded == p.text {
			return false // another spelling would not match either
		}
		return match(p.folded, folded) || match(p.text, folded)
	})
}
