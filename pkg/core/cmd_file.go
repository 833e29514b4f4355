package core

import (
	"context"

	"ftpd/pkg/ftpwire"
	"ftpd/pkg/transfer"
	"ftpd/pkg/vfs"
)

var (
	errSizeASCII = reply(550, "SIZE is not allowed in ASCII mode; use TYPE I.")
	errNoRename  = reply(503, "Bad sequence of commands: use RNFR first.")
)

// size replies with a file's length (RFC 3659 §4). After TYPE A the whole file would have to
// be read for the length, and a wrong figure breaks resuming. Mono's FtpWebRequest sends SIZE
// before any TYPE, and a binary transfer after it: it gets the length that the binary transfer
// will have.
func (s *Session) size(_ context.Context, arg string) (Reply, error) {
	if s.params.dataType == transfer.TypeASCII {
		return Reply{}, errSizeASCII
	}
	e, err := s.plainFile(arg)
	if err != nil {
		return Reply{}, err
	}
	return reply(213, "%d", e.Size), nil
}

// mdtm replies with the modification time of a file (RFC 3659 §3), always in UTC. An argument
// that begins with a time sets the modification time, unless a file has the whole argument as
// its name.
func (s *Session) mdtm(_ context.Context, arg string) (Reply, error) {
	e, err := s.plainFile(arg)
	if err != nil {
		if t, name, ok := ftpwire.CutStamp(arg); ok {
			return s.setMDTM(t, name)
		}
		return Reply{}, err
	}
	return reply(213, "%s", ftpwire.AppendStamp(nil, e.ModTime)), nil
}

func (s *Session) plainFile(arg string) (vfs.Entry, error) {
	e, err := s.login.Files.Stat(s.abs(arg))
	if err == nil && !e.Mode.IsRegular() {
		err = vfs.ErrNotRegular
	}
	return e, err
}

// dele removes a file (RFC 959 §4.1.3).
func (s *Session) dele(_ context.Context, arg string) (Reply, error) {
	if err := s.login.Files.Remove(s.abs(arg)); err != nil {
		return Reply{}, err
	}
	return reply(250, "File removed."), nil
}

// rnfr names the file that RNTO will rename (RFC 959 §4.1.3). rnfr checks at once that the
// file exists and that the user may rename it.
func (s *Session) rnfr(_ context.Context, arg string) (Reply, error) {
	s.rename = ""
	from := s.abs(arg)
	if from == "/" {
		return reply(550, "The root directory cannot be renamed."), nil
	}
	if err := s.login.Files.MayRename(from); err != nil {
		return Reply{}, err
	}
	s.rename = from
	return reply(350, "Ready for the new name."), nil
}

// rnto renames the file that the RNFR right before it has named (RFC 959 §4.1.3).
func (s *Session) rnto(_ context.Context, arg string) (Reply, error) {
	if s.rename == "" {
		return Reply{}, errNoRename
	}
	if err := s.login.Files.Rename(s.rename, s.abs(arg)); err != nil {
		return Reply{}, err
	}
	return reply(250, "Renaming done."), nil
}
