package listing

import (
	"fmt"
	"io"
	"io/fs"

	"ftpd/pkg/vfs"
)

// A Source yields the entries of one listing. It is for one goroutine at a time, and must not be copied
// after the first Next.
type Source struct {
	dir   *vfs.Dir    // nil for a file
	first []vfs.Entry // yielded before the entries of dir
}

// Open returns the entries of a directory, or the entry of a file, a link that leads nowhere
// included. name is an absolute FTP path.
func Open(files *vfs.FS, name string, d vfs.Detail) (Source, error) {
	e, err := files.Stat(name)
	if err != nil || !e.Mode.IsDir() {
		if e, err = files.Lstat(name); err != nil {
			return Source{}, err
		}
		return Source{first: []vfs.Entry{e}}, nil
	}
	dir, err := files.OpenDir(name, d)
	if err != nil {
		return Source{}, err
	}
	return Source{dir: dir}, nil
}

// OpenMatches returns the entries of a directory that match p. If no entry matches, the error is
// fs.ErrNotExist, as far as this is known before the listing is read: a directory of more than
// MaxSorted names is not read to its end, and may then yield nothing. name is an absolute FTP path,
// that of p.Dir.
func OpenMatches(files *vfs.FS, name string, p Pattern, d vfs.Detail) (Source, error) {
	dir, err := files.OpenDir(name, d)
	if err != nil {
		return Source{}, err
	}
	dir.Only(p.Match)
	first, err := firstMatches(dir)
	if err == io.EOF {
		err = fmt.Errorf("no name matches %q: %w", p.Name, fs.ErrNotExist)
	}
	if err != nil {
		dir.Close()
		return Source{}, err
	}
	return Source{dir: dir, first: first}, nil
}

// firstMatches returns the matches among about the first MaxSorted names.
func firstMatches(dir *vfs.Dir) (batch []vfs.Entry, err error) {
	for range 2 {
		if batch, err = dir.Next(); err != nil || len(batch) > 0 {
			break
		}
	}
	return batch, err
}

// Next returns the next batch of entries, or io.EOF after the last one. It may return an empty
// batch.
func (s *Source) Next() ([]vfs.Entry, error) {
	switch batch := s.first; {
	case len(batch) > 0:
		s.first = nil
		return batch, nil
	case s.dir == nil:
		return nil, io.EOF
	}
	return s.dir.Next()
}

// Close closes the directory.
func (s *Source) Close() {
	if s.dir != nil {
		s.dir.Close()
	}
}
