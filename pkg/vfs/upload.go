package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"

	"ftpd/pkg/config"
	"ftpd/pkg/zerocopy"
)

// Creation holds how an upload starts.
type Creation struct {
	Offset int64 // of the first byte (REST); bytes behind the upload stay. 0: the file is truncated
	Append bool  // write at the end (APPE); Offset is ignored
	New    bool  // the file must not exist (STOU), else fs.ErrExist; Offset and Append are ignored
	Most   int64 // bytes that the complete file may have, else ErrLimit. 0: any number
}

// An Upload is a file that is being received. It ends with exactly one call of Commit or Abort. One
// goroutine writes. An Upload stays usable when the FS is closed.
type Upload struct {
	file   *os.File
	name   string
	host   string
	room   int64 // bytes that may still be written
	most   int64 // Creation.Most of an upload that appends; 0 for others and without a limit
	faults Faults
}

// Create starts an upload. The user needs the permission "write" for a new file, "overwrite" to
// replace or change an existing one, and "append" to add to it, also for a restart exactly at its
// end. APPE needs "append" in any case. A restart beyond the end is ErrOffset, and a restart in a
// file that does not exist is fs.ErrNotExist. The file is truncated only after all these checks.
func (f *FS) Create(name string, c Creation) (*Upload, error) {
	var started *Upload
	err := f.on("create", name, 0, func(at location) error {
		o, err := f.openOrMake(at, c)
		if err != nil && !uploadable(at) {
			return ErrNotAllowed // regardless of what exists there
		}
		if err != nil {
			return err
		}
		most := int64(0)
		if c.Append && !c.New {
			most = c.Most
		}
		started = &Upload{
			file: o.file, name: at.Name, host: f.hostPath(at, o.place),
			room: c.room(o.size), most: most, faults: at.root.faults,
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return started, nil
}

// uploadable reports whether any upload to a name is permitted.
func uploadable(at location) bool {
	return at.Granted(at.Rel)&(config.Write|config.Overwrite|config.Append) != 0
}

// openOrMake opens the existing file or else makes a new one. It tries again if another process
// makes or removes the file between the two calls.
func (f *FS) openOrMake(at location, c Creation) (opened, error) {
	if c.New {
		return f.makeFile(at, Creation{})
	}
	var err error
	for range 4 {
		var o opened
		o, err = f.openExisting(at, c)
		if err == nil || !errors.Is(kind(err), fs.ErrNotExist) {
			return o, err
		}
		if c.Offset > 0 && !c.Append {
			break
		}
		o, err = f.makeFile(at, c)
		if err == nil || !errors.Is(kind(err), fs.ErrExist) {
			return o, err
		}
	}
	return opened{}, err // made and removed again each time, or a dangling link
}

// openExisting opens the existing file, through links, and prepares it for the first byte.
func (f *FS) openExisting(at location, c Creation) (opened, error) {
	o, err := at.root.open(at.Rel, c.flags())
	if err != nil {
		return opened{}, err
	}
	if err := at.Permit(o.place, c.need(o.size)); err != nil {
		_ = o.file.Close()
		return opened{}, err
	}
	if err := c.prepare(o, at.root.faults); err != nil {
		_ = o.file.Close()
		return opened{}, err
	}
	return o, nil
}

// flags returns the flags to open the file with. O_APPEND writes each byte at the end even if
// another process appends too, and the kernel refuses to open an append-only file (chattr +a)
// without it.
func (c Creation) flags() int {
	if c.Append {
		return os.O_WRONLY | os.O_APPEND
	}
	return os.O_WRONLY
}

// need returns the permission that an upload to a file of that size needs.
func (c Creation) need(size int64) config.Permissions {
	if c.Append || c.Offset > 0 && c.Offset >= size {
		return config.Append
	}
	return config.Overwrite
}

// room returns how many bytes may be written to a file of that size.
func (c Creation) room(size int64) int64 {
	switch {
	case c.Most == 0:
		return math.MaxInt64
	case c.New:
		return c.Most
	case c.Append:
		return c.Most - size
	}
	return c.Most - c.Offset
}

// prepare checks the offset and the size, and then truncates the file or seeks to the offset.
func (c Creation) prepare(o opened, faults Faults) error {
	switch {
	case !c.Append && c.Offset > o.size:
		return ErrOffset
	case c.room(o.size) < 0:
		return ErrLimit
	case c.Append:
		return nil
	case c.Offset > 0:
		if err := faults.check("lseek"); err != nil {
			return openKind(err)
		}
		_, err := o.file.Seek(c.Offset, io.SeekStart)
		return openKind(err)
	case o.size == 0:
		return nil
	}
	if err := faults.check("ftruncate"); err != nil {
		return openKind(err)
	}
	return openKind(o.file.Truncate(0))
}

// makeFile creates a new file.
func (f *FS) makeFile(at location, c Creation) (opened, error) {
	want := config.Write
	if c.Append {
		want |= config.Append
	}
	var o opened
	err := f.within(at, want, func(dir *parent, base string) error {
		mode, err := f.mode(dir, 0o666)
		if err != nil {
			return err
		}
		o.file, err = dir.create(base, c.flags(), mode)
		o.place = path.Join(dir.place, base)
		return err
	})
	return o, err
}

// Write writes p and returns how many bytes were written. Bytes beyond Creation.Most are not
// written; the error is then ErrLimit.
func (u *Upload) Write(p []byte) (int, error) {
	if err := u.faults.check("write"); err != nil {
		return 0, u.opError("write", err)
	}
	if err := u.measure(); err != nil {
		return 0, u.opError("stat", err)
	}
	fits := min(int64(len(p)), u.room)
	n, err := u.file.Write(p[:fits])
	u.room -= int64(n)
	if err == nil && n < len(p) {
		err = ErrLimit
	}
	return n, u.opError("write", err)
}

// measure lowers room if other uploads have appended to the file meanwhile. Two that write at the
// same moment may exceed the limit by one write of each.
func (u *Upload) measure() error {
	if u.most == 0 {
		return nil
	}
	info, err := u.file.Stat()
	if err == nil {
		u.room = max(0, min(u.room, u.most-info.Size()))
	}
	return err
}

// TakeFrom moves all bytes of a pipe into the file inside the kernel. errors.ErrUnsupported means
// that the caller has to Write the bytes that are left in the pipe.
func (u *Upload) TakeFrom(p *zerocopy.Pipe) error {
	held := int64(p.Held())
	err := u.faults.check("splice")
	switch {
	case err == nil && held > u.room:
		err = errors.ErrUnsupported // Write writes as many bytes as fit
	case err == nil:
		err = p.Empty(u.file)
	}
	u.room -= held - int64(p.Held())
	if err = transferKind(err); err != nil {
		return fmt.Errorf("splice %q: %w", u.name, err)
	}
	return nil
}

// Commit ends a complete upload. An error means that bytes may be lost: network file systems report
// failed writes when the file is closed.
func (u *Upload) Commit() error { return u.close() }

// Abort ends an incomplete upload. The received bytes stay, so that the client can resume.
func (u *Upload) Abort() error { return u.close() }

func (u *Upload) close() error {
	err := u.faults.check("close")
	if closing := u.file.Close(); err == nil {
		err = closing
	}
	return u.opError("close", err)
}

// HostPath returns the path of the file on the host, for the log. Links in it are resolved if
// permissions depend on the path.
func (u *Upload) HostPath() string { return u.host }

func (u *Upload) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", op, u.name, openKind(err))
}
