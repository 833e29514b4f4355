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

// Creation says how an upload starts.
type Creation struct {
	Offset int64 // where in an existing file the bytes go (REST); what lies behind them stays. 0: the file starts anew
	Append bool  // at the end (APPE); Offset is not looked at
	New    bool  // the file must not be there yet (STOU), else fs.ErrExist; the two others are not looked at
	Most   int64 // bytes that the file may have when all has arrived; beyond it is ErrLimit. 0: any
}

// An Upload is a file that arrives. Exactly one of Commit and Abort ends it. One goroutine writes; it does not depend on the FS any more.
type Upload struct {
	file   *os.File
	name   string
	host   string
	room   int64 // bytes that it may still take
	faults Faults
}

// Create starts an upload. A file that is not there is made ("write"); one that is there is replaced or changed inside ("overwrite"),
// or added to ("append", also for a restart exactly at its end). APPE needs "append" in any case. A restart beyond the end is
// ErrOffset, one of a file that is not there fs.ErrNotExist. Nothing is cut off before all of this is known.
func (f *FS) Create(name string, c Creation) (*Upload, error) {
	var started *Upload
	err := f.on("create", name, 0, func(at location) error {
		o, err := f.openOrMake(at, c)
		if err != nil && !f.uploadable(at) {
			return ErrNotAllowed // whatever there is
		}
		if err != nil {
			return err
		}
		started = &Upload{file: o.file, name: at.name, host: f.hostPath(at, o.place), room: c.room(o.size), faults: at.root.faults}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return started, nil
}

// uploadable reports whether any upload to a name is permitted.
func (f *FS) uploadable(at location) bool {
	granted, _ := f.permissions(at.mount, spell(at.name))
	return granted&(config.Write|config.Overwrite|config.Append) != 0
}

// openOrMake tries the existing file, then a new one, and again where somebody else was faster.
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
	return opened{}, err // always made and removed by others, or a link that leads nowhere
}

// openExisting opens the file that is there, through links, and prepares it for the bytes to come.
func (f *FS) openExisting(at location, c Creation) (opened, error) {
	o, err := at.root.open(at.rel, c.flags())
	if err != nil {
		return opened{}, err
	}
	if err := f.permit(at.mount, o.place, c.need(o.size)); err != nil {
		_ = o.file.Close()
		return opened{}, err
	}
	if err := c.prepare(o, at.root.faults); err != nil {
		_ = o.file.Close()
		return opened{}, err
	}
	return o, nil
}

// flags are those that the file is opened with. What is appended goes to the end whoever else appends, and
// the kernel refuses to open an append-only file (chattr +a) in any other way.
func (c Creation) flags() int {
	if c.Append {
		return os.O_WRONLY | os.O_APPEND
	}
	return os.O_WRONLY
}

// need says what the user needs to send to a file of that size.
func (c Creation) need(size int64) config.Permissions {
	if c.Append || c.Offset > 0 && c.Offset >= size {
		return config.Append
	}
	return config.Overwrite
}

// room is how many bytes may go to a file of that size.
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

// prepare cuts the file off, or goes to where the bytes start.
func (c Creation) prepare(o opened, faults Faults) error {
	switch {
	case !c.Append && c.Offset > o.size:
		return ErrOffset
	case c.room(o.size) < 0:
		return ErrLimit
	case c.Append:
		return nil
	case c.Offset > 0:
		if err := faults.ask("lseek"); err != nil {
			return openKind(err)
		}
		_, err := o.file.Seek(c.Offset, io.SeekStart)
		return openKind(err)
	case o.size == 0:
		return nil
	}
	if err := faults.ask("ftruncate"); err != nil {
		return openKind(err)
	}
	return openKind(o.file.Truncate(0))
}

// makeFile makes a new file.
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

// Write adds bytes. After an error the number says how many arrived. Of what is beyond Creation.Most none does, which is ErrLimit.
func (u *Upload) Write(p []byte) (int, error) {
	if err := u.faults.ask("write"); err != nil {
		return 0, u.failed("write", err)
	}
	fits := min(int64(len(p)), u.room)
	n, err := u.file.Write(p[:fits])
	u.room -= int64(n)
	if err == nil && n < len(p) {
		err = ErrLimit
	}
	return n, u.failed("write", err)
}

// TakeFrom adds all that a pipe holds, inside the kernel. errors.ErrUnsupported says to Write it instead: what is left is in the pipe.
func (u *Upload) TakeFrom(p *zerocopy.Pipe) error {
	held := int64(p.Held())
	err := u.faults.ask("splice")
	switch {
	case err == nil && held > u.room:
		err = errors.ErrUnsupported // Write knows how many fit
	case err == nil:
		err = p.Empty(u.file)
	}
	u.room -= held - int64(p.Held())
	if err = moving(err); err != nil {
		return fmt.Errorf("splice %q: %w", u.name, err)
	}
	return nil
}

// Commit ends an upload that is complete. Its error means that bytes may be lost: file systems of the network tell it here.
func (u *Upload) Commit() error { return u.close() }

// Abort ends an upload that is not complete. The bytes that arrived stay, so that the client can resume.
func (u *Upload) Abort() error { return u.close() }

func (u *Upload) close() error {
	err := u.faults.ask("close")
	if closing := u.file.Close(); err == nil {
		err = closing
	}
	return u.failed("close", err)
}

// HostPath is the file's path on the host, for the log: the real one where the view asks for it, else with links unresolved.
func (u *Upload) HostPath() string { return u.host }

func (u *Upload) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", op, u.name, openKind(err))
}
