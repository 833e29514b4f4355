//go:build linux && !osroot

package vfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// A dirReader reads a directory with getdents64(2).
type dirReader struct {
	root       *root
	fd         int
	start, end int // bounds of the unread records in the buffer
	mask       uintptr
	names      filter
}

func (r *root) openDir(rel string, created bool) (*dirReader, string, error) {
	fd, err := r.resolve(rel, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, "", err
	}
	_, place, err := r.describe(fd)
	if err != nil {
		r.kernel.close(fd)
		return nil, "", err
	}
	d := &dirReader{root: r, fd: fd, mask: unix.STATX_BASIC_STATS}
	if created {
		d.mask |= unix.STATX_BTIME
	}
	return d, place, nil
}

// reader opens the directory for reading.
func (p *parent) reader() (*dirReader, error) {
	fd, err := p.root.openat(p.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &dirReader{root: p.root, fd: fd}, nil
}

func (d *dirReader) close() { d.root.kernel.close(d.fd) }

// next returns one entry, or io.EOF. The buffer must stay unchanged between two calls.
func (d *dirReader) next(detail Detail, buf []byte) (Entry, error) {
	for {
		if d.start == d.end {
			n, err := d.root.getdents(d.fd, buf)
			if err != nil {
				return Entry{}, openKind(err)
			}
			if n == 0 {
				return Entry{}, io.EOF
			}
			d.start, d.end = 0, n
		}
		name, format, err := d.record(buf)
		if err != nil {
			return Entry{}, err
		}
		if string(name) == ".\x00" || string(name) == "..\x00" {
			continue
		}
		if pass, err := d.names.pass(name[:len(name)-1]); !pass {
			if err != nil {
				return Entry{}, err
			}
			continue
		}
		e, err := d.entry(name, format, detail)
		if err != unix.ENOENT {
			return e, err
		}
	}
}

var errRecord = errors.New("the directory is damaged")

// record takes the next linux_dirent64 from the buffer: ino and off (8 bytes each), reclen (2),
// type (1), name. The returned name includes its NUL.
func (d *dirReader) record(buf []byte) (name []byte, format uint32, err error) {
	const head = 19
	rest := buf[d.start:d.end]
	if len(rest) < head {
		return nil, 0, errRecord
	}
	size := int(binary.NativeEndian.Uint16(rest[16:]))
	if size <= head || size > len(rest) {
		return nil, 0, errRecord
	}
	d.start += size
	name = rest[head:size]
	nul := bytes.IndexByte(name, 0)
	if nul < 1 {
		return nil, 0, errRecord
	}
	// DT_… is the format of st_mode, shifted; 0 is unknown.
	return name[:nul+1], uint32(rest[18]) << 12, nil
}

// entry describes a name as far as detail requires. The error is ENOENT if the name does not exist
// any more.
func (d *dirReader) entry(name []byte, format uint32, detail Detail) (Entry, error) {
	text := string(name[:len(name)-1])
	if detail == NamesOnly {
		return Entry{Name: text, Mode: fileType(format)}, nil
	}
	var st unix.Statx_t
	err := d.root.statxAt(d.fd, &name[0], d.mask, &st)
	e := entryOf(&st)
	if err == nil && e.Mode&fs.ModeSymlink != 0 {
		e.Target, err = d.root.readlinkat(d.fd, text)
		if err == unix.EINVAL { // it is not a link any more
			err = nil
		}
	}
	switch err {
	case nil:
		e.Name = text
		return e, nil
	case unix.ENOENT:
		return Entry{}, err
	}
	return Entry{Name: text, Mode: fileType(format), Unknown: err}, nil
}
