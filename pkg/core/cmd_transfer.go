package core

import (
	"context"
	"fmt"
	"io"

	"ftpd/pkg/events"
	"ftpd/pkg/vfs"
)

var errASCII = reply(504, "ASCII transfers are not implemented; use TYPE I.")

// retr sends a file (RFC 959 §4.1.3), from the restart marker on (RFC 3659 §5). The file is opened first: what is wrong with it is told
// whether or not a data connection was prepared.
func (s *Session) retr(ctx context.Context, arg string) (Reply, error) {
	name, offset := s.abs(arg), s.restart
	s.restart = 0
	if s.ascii {
		return Reply{}, errASCII
	}
	f, err := s.login.fs.Open(name)
	if err != nil {
		return Reply{}, err
	}
	size := f.Size()
	switch {
	case offset > size:
		err = vfs.ErrOffset
	case s.opener == nil:
		err = errNoData
	case offset > 0:
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return Reply{}, err
	}
	about := ""
	if offset == 0 {
		about = fmt.Sprintf(" (%d bytes)", size) // Python's ftplib reads it
	}
	return s.transfer(ctx, about, task{
		move: func(ctx context.Context, t *transfer) error { return t.send(ctx, f) },
		finished: func(t *transfer, r Reply) {
			f.Close()
			t.emit(events.Download, events.DownloadIncomplete, events.Event{Verb: "RETR", Path: name, Host: f.HostPath()}, r)
		},
	}), nil
}

// stor receives a file (RFC 959 §4.1.3). After a REST it goes on at the marker.
func (s *Session) stor(ctx context.Context, arg string) (Reply, error) {
	c := vfs.Creation{Offset: s.restart}
	s.restart = 0
	return s.receive(ctx, "STOR", s.abs(arg), c)
}

// appe receives the end of a file (RFC 959 §4.1.3).
func (s *Session) appe(ctx context.Context, arg string) (Reply, error) {
	if s.restart > 0 {
		return reply(450, "Cannot append while a restart marker is set."), nil
	}
	return s.receive(ctx, "APPE", s.abs(arg), vfs.Creation{Append: true})
}

// receive takes a file from the client. What can be wrong with the name is told first; but the file is made, or cut off, only when the
// data connection stands: a client that does not come must not cost anybody a file.
func (s *Session) receive(ctx context.Context, verb, name string, c vfs.Creation) (Reply, error) {
	if s.ascii {
		return Reply{}, errASCII
	}
	if err := s.login.fs.CanCreate(name, c); err != nil {
		return Reply{}, err
	}
	if s.opener == nil {
		return Reply{}, errNoData
	}
	files := s.login.fs
	e := events.Event{Verb: verb, Path: name}
	return s.transfer(ctx, "", task{
		move: func(ctx context.Context, t *transfer) error {
			up, err := files.Create(name, c)
			if err != nil {
				return err
			}
			e.Host = up.HostPath()
			if err := t.receive(ctx, up); err != nil {
				up.Abort()
				return err
			}
			return up.Commit()
		},
		finished: func(t *transfer, r Reply) { t.emit(events.Upload, events.UploadIncomplete, e, r) },
	}), nil
}
