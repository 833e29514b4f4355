package vfs

import (
	"errors"
	"io/fs"

	"ftpd/pkg/config"
)

// CanCreate returns the error that Create would return, but neither creates nor truncates a file.
func (f *FS) CanCreate(name string, c Creation) error {
	return f.on("create", name, 0, func(at location) error {
		err := f.canOpenOrMake(at, c)
		if err != nil && !uploadable(at) {
			return ErrNotAllowed // regardless of what exists there
		}
		return err
	})
}

func (f *FS) canOpenOrMake(at location, c Creation) error {
	if at.Rel == "." {
		return ErrIsDir
	}
	if c.New {
		return f.within(at, config.Write, (*parent).canMake)
	}
	o, err := at.root.open(at.Rel, c.flags())
	if err == nil {
		defer o.file.Close()
		return f.canReceive(at, o, c)
	}
	if c.Offset > 0 && !c.Append || !errors.Is(kind(err), fs.ErrNotExist) {
		return err
	}
	want := config.Write
	if c.Append {
		want |= config.Append
	}
	return f.within(at, want, func(dir *parent, _ string) error { return dir.writable() })
}

func (f *FS) canReceive(at location, o opened, c Creation) error {
	if err := at.Permit(o.place, c.need(o.size)); err != nil {
		return err
	}
	switch {
	case !c.Append && c.Offset > o.size:
		return ErrOffset
	case c.room(o.size) < 0:
		return ErrLimit
	}
	return nil
}
