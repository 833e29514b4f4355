package vfs

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
