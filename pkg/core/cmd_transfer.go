package core

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"ftpd/pkg/events"
	"ftpd/pkg/transfer"
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
	if s.params.dataType.IsASCII() && offset > 0 {
		return Reply{}, errRestType
	}
	f, err := s.login.Files.Open(name)
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
	if s.params.dataType.IsASCII() {
		left = 0
	}
	return s.transfer(ctx, s.opening(arg, left), task{
		verb: "RETR",
		path: name,
		size: left,
		move: func(ctx context.Context, t *transfer.Transfer) error { return t.SendFile(ctx, f) },
		finished: func(t *transferJob, r Reply) {
			f.Close()
			e := events.Event{Verb: "RETR", Path: name, Host: f.HostPath()}
			t.Report(events.Download, events.DownloadIncomplete, e, r.Code, r.Reason())
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
	name, err := s.login.Files.Unique(s.abs(arg))
	if errors.Is(err, fs.ErrExist) {
		return errNoUnique.Because(err), nil
	}
	if err != nil {
		return Reply{}, err
	}
	return s.receive(ctx, "STOU", name, "FILE: "+path.Base(name), vfs.Creation{New: true})
}

var errNoUnique = reply(450, "No unique name was found.")

// receive stores a file from the client. Errors of the name are reported first.
func (s *Session) receive(
	ctx context.Context, verb, name, opening string, c vfs.Creation,
) (Reply, error) {
	if s.params.dataType.IsASCII() && c.Offset > 0 {
		return Reply{}, errRestType
	}
	c.Most = int64(s.login.Settings.MaxFileSize)
	u := &transfer.Upload{
		Files: s.login.Files, Name: name, Creation: c,
		Reserve: int64(s.srv.config.Limits.MinFreeSpace),
	}
	announced := s.params.announced
	s.params.announced = 0
	if err := u.Check(announced); err != nil {
		return Reply{}, err
	}
	if err := s.claim(); err != nil {
		return Reply{}, err
	}
	return s.transfer(ctx, opening, task{
		verb:     verb,
		path:     name,
		incoming: true,
		move:     u.Move,
		finished: func(t *transferJob, r Reply) {
			e := events.Event{Verb: verb, Path: name, Host: u.Host()}
			t.Report(events.Upload, events.UploadIncomplete, e, r.Code, r.Reason())
		},
	}), nil
}

// opening returns the text of a file's 150.
func (s *Session) opening(name string, bytes int64) string {
	return transfer.Opening(s.params.dataType.IsASCII(), name, bytes)
}
