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
type hiding []string

var errHiddenName = fmt.Errorf("hidden by files.hide: %w", fs.ErrNotExist)

// name says whether one name is hidden.
func (h hiding) name(name string) bool {
	return slices.ContainsFunc(h, func(pattern string) bool {
		hidden, _ := path.Match(pattern, name) // config has checked the pattern
		return hidden
	})
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
