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

// A File is a regular file, open for reading: the bytes that it had when it was opened. What others add meanwhile is not read, so that
// reading ends; what they cut off is missing, which is ErrCutOff. (Where the size is 0 the file is read to its end: some file systems do
// not know sizes.) Reading needs no section. One goroutine reads; the File does not depend on the FS any more.
type File struct {
	*os.File
	size   int64
	at     int64 // where the next byte is read
	skip   int64 // bytes that are read first, and not wanted
	host   string
	faults Faults
}

// Open opens a regular file for reading. It never waits for the other end of a FIFO: what is no regular file is ErrNotRegular.
func (f *FS) Open(name string) (*File, error) {
	var opened *File
	err := f.on("open", name, config.Read, func(at location) error {
		o, err := at.root.open(at.rel, os.O_RDONLY)
		if err != nil {
			return err
		}
		if err := f.permit(at.mount, o.place, config.Read); err != nil {
			_ = o.file.Close()
			return err
		}
		opened = &File{File: o.file, size: o.size, host: f.hostPath(at, o.place), faults: at.root.faults}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// Read reads as os.File does. It may yield no byte without being at the end.
func (f *File) Read(p []byte) (int, error) {
	if f.skip > 0 {
		return 0, f.skipSome(p)
	}
	return f.read(p)
}

func (f *File) read(p []byte) (int, error) {
	most := f.left(len(p))
	if most == 0 {
		return 0, io.EOF
	}
	if err := f.faults.ask("read"); err != nil {
		return 0, openKind(err)
	}
	n, err := f.File.Read(p[:most])
	f.at += int64(n)
	return n, f.failed(err)
}

// StartAt sets where reading begins, before the first byte is read; beyond the end is ErrOffset. Where the size is 0 the bytes before
// offset are read: file systems that do not know sizes often cannot seek. Then the end may show only later, by a Read.
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

// skipSome reads bytes that are not wanted.
func (f *File) skipSome(room []byte) error {
	n, err := f.read(room[:min(int64(len(room)), f.skip)])
	f.skip -= int64(n)
	if err == io.EOF {
		return ErrOffset
	}
	return err
}

// left is how many of n bytes may be read.
func (f *File) left(n int) int {
	if f.size == 0 {
		return n
	}
	return int(min(int64(n), max(0, f.size-f.at)))
}

// failed tells an early end from the right one.
func (f *File) failed(err error) error {
	switch {
	case err == io.EOF && f.at < f.size:
		return ErrCutOff
	case err == nil || err == io.EOF:
		return err
	}
	return moving(err)
}

// Size is the length in bytes when the file was opened.
func (f *File) Size() int64 { return f.size }

// HostPath is the file's path on the host, for the log: the real one where the view asks for it, else with links unresolved.
func (f *File) HostPath() string { return f.host }

// An opened is a regular file that root.open has opened, and its place in the mount.
type opened struct {
	file  *os.File
	size  int64
	place string // "" where places are not asked for
}

// hostPath is the path on the host of a resolved place.
func (f *FS) hostPath(at location, place string) string {
	if !f.places {
		place = at.rel
	}
	return filepath.Join(at.mount.directory, filepath.FromSlash(path.Clean(place)))
}

// SendTo moves some bytes to a socket inside the kernel, at most most of them. At the end of the file it returns io.EOF.
// errors.ErrUnsupported says to Read instead; then none has moved. See zerocopy.Send. Its own end of file is none before the size: of
// a file system that does not know sizes, or has an old one in its cache, read(2) yields more.
func (f *File) SendTo(socket syscall.RawConn, most int) (int, error) {
	if f.skip > 0 {
		return 0, errors.ErrUnsupported
	}
	most = f.left(most)
	if most == 0 {
		return 0, io.EOF
	}
	if err := f.faults.ask("sendfile"); err != nil {
		return 0, moving(err)
	}
	n, err := zerocopy.Send(socket, f.File, most)
	if err == io.EOF {
		return 0, errors.ErrUnsupported
	}
	f.at += int64(n)
	return n, moving(err)
}

// moving is openKind for what may also be the socket's error, or a refusal to move bytes this way.
func moving(err error) error {
	var socket *zerocopy.SocketError
	if err == nil || errors.As(err, &socket) || errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return openKind(err)
}
