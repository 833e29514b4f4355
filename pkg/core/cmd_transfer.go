package core

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/limit"
	"ftpd/pkg/vfs"
)

// retr sends a file (RFC 959 §4.1.3), from the restart marker on (RFC 3659 §5). The file is
// opened first, so that an error of the file is reported whether or not a data connection was
// prepared. The transfer sends the bytes that the file has when it is opened, and the 150
// contains their number. In stream mode a client cannot distinguish a file that was cut off
// meanwhile from a whole one, so this transfer does not end with 226 (vfs.ErrCutOff).
func (s *Session) retr(ctx context.Context, arg string) (Reply, error) {
	name, offset := s.abs(arg), s.params.restart
	s.params.restart = 0
	if s.params.dataType.ascii() && offset > 0 {
		return Reply{}, errRestType
	}
	f, err := s.login.fs.Open(name)
	if err != nil {
		return Reply{}, err
	}
	if err = f.StartAt(offset); err == nil {
		err = s.claim()
	}
	if err != nil {
		f.Close()
		return Reply{}, err
	}
	left := max(0, f.Size()-offset)
	move := func(ctx context.Context, t *transfer) error { return t.data.SendFile(ctx, f) }
	if s.params.dataType.ascii() {
		left = 0
		move = func(ctx context.Context, t *transfer) error { return t.data.SendText(ctx, f) }
	}
	return s.transfer(ctx, s.opening(arg, left), task{
		verb: "RETR",
		path: name,
		size: left,
		move: move,
		finished: func(t *transfer, r Reply) {
			f.Close()
			t.emit(events.Download, events.DownloadIncomplete,
				events.Event{Verb: "RETR", Path: name, Host: f.HostPath()}, r)
		},
	}), nil
}

// stor receives a file (RFC 959 §4.1.3). After a REST it begins at the marker.
func (s *Session) stor(ctx context.Context, arg string) (Reply, error) {
	c := vfs.Creation{Offset: s.params.restart}
	s.params.restart = 0
	return s.receive(ctx, "STOR", s.abs(arg), s.opening(arg, 0), c)
}

// appe receives bytes and appends them to a file (RFC 959 §4.1.3).
func (s *Session) appe(ctx context.Context, arg string) (Reply, error) {
	if s.params.restart > 0 {
		return reply(450, "Cannot append while a restart marker is set."), nil
	}
	return s.receive(ctx, "APPE", s.abs(arg), s.opening(arg, 0), vfs.Creation{Append: true})
}

// stou receives a file under a name that does not exist yet (RFC 959 §4.1.3): the argument, or
// "ftpd", with an ending. The first reply contains the name (RFC 1123 §4.1.2.9).
func (s *Session) stou(ctx context.Context, arg string) (Reply, error) {
	if s.params.restart > 0 {
		return reply(450, "Cannot store a unique file while a restart marker is set."), nil
	}
	if arg == "" {
		arg = "ftpd"
	}
	name, err := s.login.fs.Unique(s.abs(arg))
	if errors.Is(err, fs.ErrExist) {
		return errNoUnique.Because(err), nil
	}
	if err != nil {
		return Reply{}, err
	}
	return s.receive(ctx, "STOU", name, "FILE: "+path.Base(name), vfs.Creation{New: true})
}

var errNoUnique = reply(450, "No unique name was found.")

// receive stores a file from the client. Errors of the name are reported first; but the file
// is created or truncated only when the data connection is open, so that a client that never
// opens it destroys no file.
func (s *Session) receive(
	ctx context.Context, verb, name, opening string, c vfs.Creation,
) (Reply, error) {
	if s.params.dataType.ascii() && c.Offset > 0 {
		return Reply{}, errRestType
	}
	c.Most = int64(s.login.settings.MaxFileSize)
	announced := s.params.announced
	s.params.announced = 0
	if err := s.mayStore(name, c, announced); err != nil {
		return Reply{}, err
	}
	if err := s.claim(); err != nil {
		return Reply{}, err
	}
	files, receive := s.login.fs, (*dtp.Conn).ReceiveFile
	if s.params.dataType.ascii() {
		receive = (*dtp.Conn).ReceiveText
	}
	e := events.Event{Verb: verb, Path: name}
	return s.transfer(ctx, opening, task{
		verb:     verb,
		path:     name,
		incoming: true,
		move: func(ctx context.Context, t *transfer) error {
			up, err := files.Create(name, c)
			if err != nil {
				return oversize(c.Most, err)
			}
			e.Host = up.HostPath()
			reserve := limit.NewReserve(int64(t.s.srv.config.Limits.MinFreeSpace), up)
			err = receive(&t.data, ctx, up, reserve)
			if err == nil {
				err = t.arrived(ctx)
			}
			if err != nil {
				up.Abort()
				return oversize(c.Most, err)
			}
			return up.Commit()
		},
		finished: func(t *transfer, r Reply) {
			t.emit(events.Upload, events.UploadIncomplete, e, r)
		},
	}), nil
}

// mayStore returns the reason why an upload cannot begin. announced is the size in bytes that
// the client has sent with ALLO; 0 means that it has sent none. No file becomes larger than
// max_file_size, and limits.min_free_space is left to the file system. Both are checked again
// while bytes arrive.
func (s *Session) mayStore(name string, c vfs.Creation, announced int64) error {
	err := s.login.fs.CanCreate(name, c)
	if err == nil && c.Most > 0 && announced > c.Most {
		err = fmt.Errorf("%d bytes are announced: %w", announced, vfs.ErrLimit)
	}
	if err != nil {
		return oversize(c.Most, err)
	}
	least := int64(s.srv.config.Limits.MinFreeSpace)
	if least == 0 {
		return nil
	}
	free, err := s.login.fs.Free(name)
	if err != nil {
		return err
	}
	return limit.Enough(free-announced, least)
}

// oversize returns the reply that names the limit where err is vfs.ErrLimit, and err otherwise.
func oversize(most int64, err error) error {
	if !errors.Is(err, vfs.ErrLimit) {
		return err
	}
	return reply(552, "A file may have %d bytes at most.", most).
		Because(fmt.Errorf("max_file_size: %w", err))
}
