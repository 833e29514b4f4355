package vfs

import (
	"io/fs"
	"path"
	"strings"
)

// maxLinks bounds the links in a path, as the kernel does.
const maxLinks = 40

// Follow follows the links in a path, as far as it exists and the user may look it up.
func (r *root) Follow(rel string) (string, error) {
	at := "."
	for links := 0; rel != ""; {
		var name string
		name, rel, _ = strings.Cut(rel, "/")
		next := path.Join("/", at, name)[1:]
		if next == "" || len(next) <= len(at) && at != "." { // of "..", or of no name
			at = path.Clean(next)
			continue
		}
		e, _, err := r.stat(next, false, false)
		switch {
		case gone(err), kind(err) == fs.ErrPermission, links == maxLinks:
			return path.Join("/", next, rel)[1:], nil
		case err != nil:
			return "", kind(err)
		case e.Mode&fs.ModeSymlink == 0:
			at = next
			continue
		}
		links++
		rel = e.Target + "/" + rel
		if path.IsAbs(e.Target) {
			at = "."
		}
	}
	return at, nil
}
