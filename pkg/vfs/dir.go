package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"ftpd/pkg/config"
)

// Detail says how much a listing tells about each entry.
type Detail int

const (
	NamesOnly Detail = iota // the name, and of the mode the type where the directory has it
	Links                   // everything; links themselves, with Target
	Targets                 // everything; of links what they lead to, and none that LeadsNowhere

	Created Detail = 1 << 8 // beside one of these: asks for the time of creation, too
)

// batchSize is how many entries one section yields: its cost vanishes among so many, and the first ones come soon.
const batchSize = 500

// A batch is what a listing works with. The pool spares each listing 150 KiB.
type batch struct {
	raw     [64 << 10]byte // of getdents64(2)
	entries []Entry
}

var batches = sync.Pool{New: func() any { return &batch{entries: make([]Entry, 0, batchSize)} }}

// A Dir is a directory that is being listed, by one goroutine. It must be closed.
type Dir struct {
	fs     *FS
	at     location
	detail Detail // without Created
	born   bool   // Created was asked for
	reader *dirReader
	batch  *batch // nil when closed
	mounts []*mount
	hidden []string // names that mounts stand in front of
}

// OpenDir opens a directory for listing.
func (f *FS) OpenDir(name string, detail Detail) (*Dir, error) {
	var dir *Dir
	err := f.on("list", name, config.List, func(at location) error {
		reader, place, err := at.root.openDir(at.rel, detail&Created != 0)
		if err != nil {
			return err
		}
		if err := f.permit(at.mount, place, config.List); err != nil {
			reader.close()
			return err
		}
		reader.names.hide = f.hide
		dir = &Dir{fs: f, at: at, detail: detail &^ Created, born: detail&Created != 0, reader: reader}
		reader.names.folds = sync.OnceValue(dir.folds)
		dir.findMounts(at.mount.at(place))
		return nil
	})
	if err != nil {
		if dir != nil { // opened, but the section ended badly
			dir.reader.close()
		}
		return nil, err
	}
	dir.batch = batches.Get().(*batch)
	return dir, nil
}

// Only leaves out all entries whose names want refuses; they are not described, either. Before the first call of Next it says so.
// Next may then yield no entry without being at the end: one section looks at a bounded number of names.
func (d *Dir) Only(want func(name []byte) bool) { d.reader.names.want = want }

// A filter chooses names.
type filter struct {
	hide   hiding
	folds  func() bool       // the directory does; asked only where that matters
	want   func([]byte) bool // nil: all
	looked int               // at so many names, in this section
}

// maxLooked is how many names one section looks at when few of them are wanted.
const maxLooked = 5000

var errEnough = errors.New("enough for one section")

// pass says whether a name is wanted; errEnough, that the next one is for the next section.
func (f *filter) pass(name []byte) (bool, error) {
	if (f.want == nil || f.want(name)) && (len(f.hide) == 0 || !f.hides(string(name))) {
		return true, nil
	}
	if f.looked++; f.looked >= maxLooked {
		return false, errEnough
	}
	return false, nil
}

// hides reports whether files.hide has a name, or another spelling of it.
func (f *filter) hides(name string) bool {
	return f.hide.name(name) || f.hide.like(name) && f.folds()
}

// findMounts takes note of the mounts that lie in the directory, by the name it was opened by, and of what they hide where it really is.
func (d *Dir) findMounts(place spelled) {
	for _, m := range d.fs.mounts {
		if m.path == "/" {
			continue
		}
		if path.Dir(m.path) == d.at.name {
			d.mounts = append(d.mounts, m)
		}
		if depth(m.path) == depth(place.path)+1 && d.fs.leads(d.at.mount, place, m.spelled) != different {
			d.hidden = append(d.hidden, path.Base(m.path))
		}
	}
}

// covered reports whether a mount stands in front of an entry.
func (d *Dir) covered(entry string) bool {
	return slices.ContainsFunc(d.hidden, func(name string) bool {
		return entry == name || fold(entry) == fold(name) && d.reader.names.folds()
	})
}

// folds reports whether the directory ignores case; where it cannot be asked it is taken to.
func (d *Dir) folds() bool {
	dir, err := d.at.root.parent(d.at.rel)
	if err != nil {
		return true
	}
	defer dir.close()
	return dir.folds()
}

// Next yields about 500 further entries, in the directory's own order and without "." and "..", or io.EOF at the end. The slice is
// good until the next call of Next or Close. An entry that was removed meanwhile is left out; one that cannot be described for another
// reason is Unknown, since a client takes what a listing does not show for deleted. A directory that cannot be read ends the listing.
func (d *Dir) Next() ([]Entry, error) {
	if d.batch == nil {
		return nil, fs.ErrClosed
	}
	d.batch.entries = d.batch.entries[:0]
	err := d.fs.section(d.fill)
	switch {
	case err == io.EOF:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("list %q: %w", d.at.name, err)
	}
	return d.batch.entries, nil
}

// fill reads a batch.
func (d *Dir) fill() error {
	for _, m := range d.mounts {
		if pass, _ := d.reader.names.pass([]byte(path.Base(m.path))); !pass {
			continue
		}
		d.batch.entries = append(d.batch.entries, m.top(d.born))
	}
	d.mounts = nil
	d.reader.names.looked = 0
	for len(d.batch.entries) < batchSize {
		e, err := d.reader.next(d.detail, d.batch.raw[:])
		if err == io.EOF && len(d.batch.entries) > 0 || err == errEnough {
			return nil
		}
		if err != nil {
			return err
		}
		if d.covered(e.Name) {
			continue
		}
		if d.detail == Targets && e.Mode&fs.ModeSymlink != 0 {
			if e, err = d.follow(e); LeadsNowhere(err) {
				continue
			}
		}
		d.batch.entries = append(d.batch.entries, e)
	}
	return nil
}

// follow describes what a link leads to, under the link's name. The error is also the entry's.
func (d *Dir) follow(link Entry) (Entry, error) {
	if link.Unknown != nil {
		return Entry{Name: link.Name, Mode: fs.ModeIrregular, Unknown: link.Unknown}, nil
	}
	e, place, err := d.at.root.stat(path.Join(d.at.rel, link.Name), true, d.born)
	if err == nil {
		err = d.fs.permit(d.at.mount, place, config.List)
	}
	if err != nil {
		err = kind(err)
		return Entry{Name: link.Name, Mode: fs.ModeIrregular, Unknown: err}, err
	}
	e.Name = link.Name
	return e, nil
}

// top describes the mount's directory, under the name that it has in the view.
func (m *mount) top(created bool) Entry {
	name := path.Base(m.path)
	e, _, err := m.root.stat(".", true, created)
	if err != nil {
		return Entry{Name: name, Mode: fs.ModeDir, Unknown: err}
	}
	e.Name = name
	return e
}

// Close ends the listing.
func (d *Dir) Close() error {
	if d.batch == nil {
		return nil
	}
	clear(d.batch.entries[:cap(d.batch.entries)]) // lets the names go
	batches.Put(d.batch)
	d.batch = nil
	d.reader.close()
	return nil
}
