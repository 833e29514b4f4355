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
	"ftpd/pkg/spelling"
	"ftpd/pkg/view"
)

// Detail is how much a listing contains about each entry.
type Detail int

const (
	NamesOnly Detail = iota // the name; in Mode the type, if the directory has it
	Links                   // everything; of a link the link itself, with Target
	Targets                 // everything; of a link its target; no links for which LeadsNowhere

	Created Detail = 1 << 8 // added to one of the above: the time of creation as well
)

// batchSize is how many entries one section yields: enough to make the cost of the section
// negligible, and few enough to yield the first entries soon.
const batchSize = 500

// A batch holds the buffers of a listing. Taken from the pool, they save each listing 150 KiB.
type batch struct {
	raw     [64 << 10]byte // buffer of getdents64(2)
	entries []Entry
}

var batches = sync.Pool{New: func() any { return &batch{entries: make([]Entry, 0, batchSize)} }}

// A Dir is a directory that is being listed by one goroutine. It must be closed.
type Dir struct {
	fs     *FS
	at     location
	place  string // of the directory, with links resolved; "" if no permission depends on it
	detail Detail // without Created

	withCreated bool // Created was requested
	reader      *dirReader
	batch       *batch // nil when closed
	mounts      []*view.Mount
	hidden      []string // names in the directory that mounts hide
}

// OpenDir opens a directory for listing.
func (f *FS) OpenDir(name string, detail Detail) (*Dir, error) {
	var dir *Dir
	err := f.on("list", name, config.List, func(at location) error {
		reader, place, err := at.root.openDir(at.Rel, detail&Created != 0)
		if err != nil {
			return err
		}
		if err := at.Permit(place, config.List); err != nil {
			reader.close()
			return err
		}
		reader.names.view = f.view
		dir = &Dir{
			fs: f, at: at, place: place, detail: detail &^ Created, withCreated: detail&Created != 0,
			reader: reader,
		}
		reader.names.folds = sync.OnceValue(dir.folds)
		dir.mounts, dir.hidden = at.Inside(place)
		return nil
	})
	if err != nil {
		if dir != nil { // the directory was opened, but the section failed afterwards
			dir.reader.close()
		}
		return nil, err
	}
	dir.batch = batches.Get().(*batch)
	return dir, nil
}

// Only restricts the listing to entries whose names want accepts. Other entries are not even
// described. It is called before the first call of Next. Next may then yield no entry before the
// end, because one section looks at a bounded number of names.
func (d *Dir) Only(want func(name []byte) bool) { d.reader.names.want = want }

// A filter selects names.
type filter struct {
	view   *view.View        // nil: no name is hidden
	folds  func() bool       // reports whether the directory ignores case; called only if needed
	want   func([]byte) bool // nil: all names
	looked int               // names refused in this section
}

// maxLooked is how many names one section refuses at most.
const maxLooked = 5000

var errEnough = errors.New("enough for one section")

// pass reports whether a name is selected. errEnough means that it is not, and that the section
// has to end.
func (f *filter) pass(name []byte) (bool, error) {
	if (f.want == nil || f.want(name)) && (f.view == nil || !f.view.Hides(name, f.folds)) {
		return true, nil
	}
	if f.looked++; f.looked >= maxLooked {
		return false, errEnough
	}
	return false, nil
}

// covered reports whether a mount hides an entry.
func (d *Dir) covered(entry string) bool {
	return slices.ContainsFunc(d.hidden, func(name string) bool {
		alike := spelling.Fold(entry) == spelling.Fold(name)
		return entry == name || alike && d.reader.names.folds()
	})
}

// folds reports whether the directory ignores case. It returns true if that cannot be found out.
func (d *Dir) folds() bool {
	dir, err := d.at.root.parent(d.at.Rel)
	if err != nil {
		return true
	}
	defer dir.close()
	return dir.folds()
}

// Next yields about 500 further entries, in the order of the directory and without "." and "..",
// or io.EOF at the end. The slice is valid until the next call of Next or Close. An entry that
// was removed meanwhile is left out. An entry that cannot be described for another reason is
// Unknown, because a client takes a file that is missing in a listing for deleted. A directory
// that cannot be read ends the listing.
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
		return nil, fmt.Errorf("list %q: %w", d.at.Name, err)
	}
	return d.batch.entries, nil
}

// fill reads the entries of one batch.
func (d *Dir) fill() error {
	for _, m := range d.mounts {
		if pass, _ := d.reader.names.pass([]byte(path.Base(m.Path))); !pass {
			continue
		}
		d.batch.entries = append(d.batch.entries, d.top(m))
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
		if d.detail == Targets {
			e.Granted = d.granted(e.Name)
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

// granted returns the permissions at a name in the directory.
func (d *Dir) granted(name string) config.Permissions {
	if !d.fs.needsPlaces {
		return d.fs.base
	}
	return d.fs.granted(d.at.Mount, path.Join(d.place, name))
}

// follow describes the target of a link, under the name of the link. An error is returned, and also
// stored in the entry.
func (d *Dir) follow(link Entry) (Entry, error) {
	if link.Unknown != nil {
		return Entry{Name: link.Name, Mode: fs.ModeIrregular, Granted: link.Granted,
			Unknown: link.Unknown}, nil
	}
	e, place, err := d.at.root.stat(path.Join(d.at.Rel, link.Name), true, d.withCreated)
	if err == nil {
		err = d.at.Permit(place, config.List)
	}
	if err != nil {
		err = kind(err)
		return Entry{Name: link.Name, Mode: fs.ModeIrregular, Granted: link.Granted,
			Unknown: err}, err
	}
	e.Name = link.Name
	e.Granted = throughLink(d.fs.granted(d.at.Mount, place), link.Granted)
	return e, nil
}

// top describes the directory of a mount, under the name that it has in the view.
func (d *Dir) top(m *view.Mount) Entry {
	e, _, err := d.fs.roots[m].stat(".", true, d.withCreated)
	if err != nil {
		e = Entry{Mode: fs.ModeDir, Unknown: err}
	}
	e.Name = path.Base(m.Path)
	e.Granted = d.fs.granted(m, ".")
	return e
}

// Close ends the listing.
func (d *Dir) Close() error {
	if d.batch == nil {
		return nil
	}
	clear(d.batch.entries[:cap(d.batch.entries)]) // releases the strings
	batches.Put(d.batch)
	d.batch = nil
	d.reader.close()
	return nil
}
