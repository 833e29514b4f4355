package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"ftpd/pkg/vfs"
)

// A glob is a pathname whose last component is a pattern, as path.Match has them: *, ?, [a-z], [^a-z], and a backslash before what
// means itself. LIST and NLST take them, for mget and mdelete of ftp(1) and its kin, which leave the matching to the server.
type glob struct {
	dir     string // as the client wrote it, with its slash; may be empty
	pattern string
}

const (
	globChars = `*?[\`
	// maxPattern bounds the work for one name, which is at most the product of both lengths; no name is longer, either.
	maxPattern = 255
)

// glob finds out whether a pathname is one. A name that exists is meant, whatever is in it.
func (s *Session) glob(arg string) (g glob, ok bool) {
	cut := strings.LastIndexByte(arg, '/') + 1
	g = glob{dir: arg[:cut], pattern: arg[cut:]}
	if len(g.pattern) > maxPattern || !strings.ContainsAny(g.pattern, globChars) {
		return g, false
	}
	if _, err := path.Match(g.pattern, ""); err != nil {
		return g, false
	}
	_, err := s.login.fs.Lstat(s.abs(arg))
	return g, errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrName) // Windows has no such names
}

// match says whether a name matches. One that begins with a dot wants a pattern that does, as with ls.
func (g glob) match(name []byte) bool {
	if name[0] == '.' && !strings.HasPrefix(strings.TrimPrefix(g.pattern, `\`), ".") {
		return false
	}
	ok, _ := path.Match(g.pattern, string(name))
	return ok
}

// sendMatches sends what l makes of the entries that match. When nothing does, that is a missing file, as far as it is known before
// the transfer begins: a directory of more than maxSorted names is read on in the transfer, which then may bring nothing.
func (s *Session) sendMatches(ctx context.Context, g glob, d vfs.Detail, l *lister) (Reply, error) {
	l.path = s.abs(g.dir)
	dir, err := s.login.fs.OpenDir(l.path, d)
	if err != nil {
		return Reply{}, err
	}
	dir.Only(g.match)
	first, err := firstMatches(dir)
	if err == io.EOF {
		err = fmt.Errorf("no name matches %q: %w", g.pattern, fs.ErrNotExist)
	}
	if err == nil {
		err = s.claim()
	}
	if err != nil {
		dir.Close()
		return Reply{}, err
	}
	return s.sendEntries(ctx, l, dir, func() ([]vfs.Entry, error) {
		if batch := first; len(batch) > 0 {
			first = nil
			return batch, nil
		}
		return dir.Next()
	}), nil
}

// firstMatches looks for entries among the first maxSorted names or so.
func firstMatches(dir *vfs.Dir) (batch []vfs.Entry, err error) {
	for range 2 {
		if batch, err = dir.Next(); err != nil || len(batch) > 0 {
			break
		}
	}
	return batch, err
}
