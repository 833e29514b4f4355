package vfs

import (
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"ftpd/pkg/config"
	"ftpd/pkg/zerocopy"
)

// A File is a regular file that is open for reading. Reading ends at the size that the file had
// when it was opened, so that it ends even while another process appends. If the file became
// shorter, the error is ErrCutOff. A file of size 0 is read to its end, because some file systems
// do not know sizes. Reading needs no section. One goroutine reads. A File stays usable when the FS
// is closed.
type File struct {
	*os.File
	size   int64
	at     int64 // the offset of the next byte
	skip   int64 // bytes to read and discard first
	host   string
	faults Faults
}

// Open opens a regular file for reading. Any other kind of file is ErrNotRegular, and is not
// opened.
func (f *FS) Open(name string) (*File, error) {
	var opened *File
	err := f.on("open", name, config.Read, func(at location) error {
		o, err := at.root.open(at.Rel, os.O_RDONLY)
		if err != nil {
			return err
		}
		if err := at.Permit(o.place, config.Read); err != nil {
			_ = o.file.Close()
			return err
		}
		opened = &File{
			File: o.file, size: o.size, host: f.hostPath(at, o.place), faults: at.root.faults,
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// Read reads like os.File.Read, but may return 0 bytes and no error before the end.
func (f *File) Read(p []byte) (int, error) {
	if f.skip > 0 {
		return 0, f.skipSome(p)
	}
	return f.read(p)
}

func (f *File) read(p []byte) (int, error) {
	most := f.remaining(len(p))
	if most == 0 {
		return 0, io.EOF
	}
	if err := f.faults.check("read"); err != nil {
		return 0, openKind(err)
	}
	n, err := f.File.Read(p[:most])
	f.at += int64(n)
	return n, f.readError(err)
}

// StartAt sets the offset of the first byte to read. It is called before the first Read. An offset
// beyond the end is ErrOffset. If the size is 0, the bytes before offset are read and discarded,
// because a file system that does not know sizes often cannot seek; a later Read may then return
// ErrOffset.
func (f *File) StartAt(offset int64) error {
	switch {
	case offset == 0:
		return nil
	case f.size == 0:
		f.skip = offset
		return f.skipSome(make([]byte, 1))
	case offset > f.size:
		return ErrOffset
	}
	at, err := f.Seek(offset, io.SeekStart)
	f.at = at
	return err
}

// skipSome reads bytes that precede the offset of StartAt into room, which is overwritten.
func (f *File) skipSome(room []byte) error {
	n, err := f.read(room[:min(int64(len(room)), f.skip)])
	f.skip -= int64(n)
	if err == io.EOF {
		return ErrOffset
	}
	return err
}

// remaining returns how many of n bytes may be read.
func (f *File) remaining(n int) int {
	if f.size == 0 {
		return n
	}
	return int(min(int64(n), max(0, f.size-f.at)))
}

// readError returns ErrCutOff for an end of file before the size, and otherwise the error of Read.
func (f *File) readError(err error) error {
	switch {
	case err == io.EOF && f.at < f.size:
		return ErrCutOff
	case err == nil || err == io.EOF:
		return err
	}
	return transferKind(err)
}

// Size returns the length in bytes at the time of Open.
func (f *File) Size() int64 { return f.size }

// HostPath returns the path of the file on the host, for the log. Links in it are resolved if
// permissions depend on the path.
func (f *File) HostPath() string { return f.host }

// An opened is a regular file that root.open has opened, with its place in the mount.
type opened struct {
	file  *os.File
	size  int64
	place string // "" if the view does not need places
}

// hostPath returns the path on the host of a resolved place.
func (f *FS) hostPath(at location, place string) string {
	if !f.needsPlaces {
		place = at.Rel
	}
	return filepath.Join(at.Directory, filepath.FromSlash(path.Clean(place)))
}

// SendTo moves at most most bytes to a socket inside the kernel (zerocopy.Send). It returns io.EOF
// at the size of the file. errors.ErrUnsupported means that no byte has moved and that the caller
// has to Read instead. It is also returned when sendfile(2) reports the end of the file before the
// size, because read(2) can return more bytes on a file system that does not know sizes or has an
// old one in its cache.
func (f *File) SendTo(socket syscall.RawConn, most int) (int, error) {
	if f.skip > 0 {
		return 0, errors.ErrUnsupported
	}
	most = f.remaining(most)
	if most == 0 {
		return 0, io.EOF
	}
	if err := f.faults.check("sendfile"); err != nil {
		return 0, transferKind(err)
	}
	n, err := zerocopy.Send(socket, f.File, most)
	if err == io.EOF {
		return 0, errors.ErrUnsupported
	}
	f.at += int64(n)
	return n, transferKind(err)
}

// transferKind is openKind for a call that can also fail because of the socket, or because the
// bytes cannot be moved in this way.
func transferKind(err error) error {
	var socket *zerocopy.SocketError
	if err == nil || errors.As(err, &socket) || errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return openKind(err)
}
