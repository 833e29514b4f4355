package core

import (
	"context"
	"strings"
	"time"

	"ftpd/pkg/events"
	"ftpd/pkg/ftpwire"
)

var errTime = reply(550, "Not a time; YYYYMMDDhhmmss is needed.")

// mfmt sets the modification time of a file (draft-somers-ftp-mfxx §3.1). lftp, rclone and
// ncftp send it after each upload.
func (s *Session) mfmt(_ context.Context, arg string) (Reply, error) {
	stamp, name, _ := strings.Cut(arg, " ")
	t, err := s.setTime(stamp, name)
	if err != nil {
		return Reply{}, err
	}
	return reply(213, "Modify=%s; %s", ftpwire.AppendStamp(nil, t), name), nil
}

// setTime sets the modification time of a file. It returns the time that the file has then and
// that MDTM replies with: file systems round times.
func (s *Session) setTime(stamp, name string) (time.Time, error) {
	if name == "" {
		return time.Time{}, errNoArg
	}
	t, ok := ftpwire.ParseStamp(stamp)
	if !ok {
		return t, errTime
	}
	e, err := s.login.Files.SetTimes(s.abs(name), t)
	return e.ModTime, err
}

// setMDTM sets the modification time of a file. Tcl's client requires the new time in the
// reply.
func (s *Session) setMDTM(t time.Time, name string) (Reply, error) {
	name = s.abs(name)
	e, err := s.login.Files.SetTimes(name, t)
	if err != nil {
		return Reply{}, err
	}
	s.emit(events.Event{Kind: events.Command, Verb: "MDTM", Path: name, Reply: 213})
	return reply(213, "%s", ftpwire.AppendStamp(nil, e.ModTime)), nil
}

// siteUtime sets the modification time of a file, for clients without MFMT: "YYYYMMDDhhmmss
// pathname" (lftp), or "pathname atime mtime ctime UTC" (lftp, ncftp), of which the second
// time counts.
func (s *Session) siteUtime(_ context.Context, arg string) (Reply, error) {
	name, stamp := ftpwire.UtimeArgument(arg)
	t, err := s.setTime(stamp, name)
	if err != nil {
		return Reply{}, err
	}
	return reply(200, "The time is %s.", ftpwire.AppendStamp(nil, t)), nil
}
