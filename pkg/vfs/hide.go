package vfs

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// hiding are the patterns of names that are not there for anybody (files.hide): neither listed, nor reached, nor made, and nothing
// below them.
type hiding []pattern

// A pattern is as path.Match has it, beside it the one for folded names.
type pattern struct{ text, folded string }

func hidingOf(patterns []string) (h hiding) {
	for _, p := range patterns {
		h = append(h, pattern{p, foldLetters(p)})
	}
	return h
}

var errHiddenName = fmt.Errorf("hidden by files.hide: %w", fs.ErrNotExist)

// match reports whether a pattern matches a name; config has checked the pattern.
func match(pattern, name string) bool {
	matches, _ := path.Match(pattern, name)
	return matches
}

// name says whether one name is hidden.
func (h hiding) name(name string) bool {
	return slices.ContainsFunc(h, func(p pattern) bool { return match(p.text, name) })
}

// path says whether a cleaned path has a hidden name in it.
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
