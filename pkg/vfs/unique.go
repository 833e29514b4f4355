package vfs

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"strings"

	"ftpd/pkg/config"
)

// uniqueTries bounds the search for a name that nobody has.
const uniqueTries = 50

// Unique finds an FTP path that is not there yet and where the user may make a file: prefix, a dot, and six letters or digits. When
// nothing free is found that is fs.ErrExist. Whoever makes the file asks for a New one: others look for names, too.
func (f *FS) Unique(prefix string) (name string, err error) {
	err = f.on("find a name for", prefix, config.Write, func(at location) error {
		return f.within(at, config.Write, func(dir *parent, base string) error {
			for range uniqueTries {
				free := base + "." + f.suffix()
				err := dir.canMake(free)
				if err == nil {
					name = path.Join(path.Dir(at.name), free)
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

// randomSuffix is one of a thousand million.
func randomSuffix() string { return strings.ToLower(rand.Text()[:6]) }

// canMake is the error that making a new file would have.
func (p *parent) canMake(name string) error {
	switch err := p.exists(name); {
	case err == nil:
		return fs.ErrExist
	case !errors.Is(kind(err), fs.ErrNotExist):
		return err
	}
	return p.writable()
}
