package vfs

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"strings"

	"ftpd/pkg/config"
)

// uniqueTries bounds the search for a name that does not exist.
const uniqueTries = 50

// Unique returns an FTP path that does not exist yet and where the user may make a file: prefix, a
// dot, and six letters or digits. If the search finds none, the error is fs.ErrExist. The caller
// then creates the file with Creation.New, because another session can find the same name.
func (f *FS) Unique(prefix string) (name string, err error) {
	err = f.on("find a name for", prefix, config.Write, func(at location) error {
		return f.within(at, config.Write, func(dir *parent, base string) error {
			for range uniqueTries {
				free := base + "." + f.suffix()
				err := dir.canMake(free)
				if err == nil {
					name = path.Join(path.Dir(at.Name), free)
				}
				if !errors.Is(kind(err), fs.ErrExist) {
					return err
				}
			}
			return fs.ErrExist
		})
	})
	return name, err
}

// randomSuffix returns one of a thousand million suffixes.
func randomSuffix() string { return strings.ToLower(rand.Text()[:6]) }

// canMake returns the error that the creation of a new file would return.
func (p *parent) canMake(name string) error {
	switch err := p.exists(name); {
	case err == nil:
		return fs.ErrExist
	case !errors.Is(kind(err), fs.ErrNotExist):
		return err
	}
	return p.writable()
}
