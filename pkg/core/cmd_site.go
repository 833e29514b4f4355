package core

import (
	"context"
	"strconv"
	"strings"

	"ftpd/pkg/config"
	"ftpd/pkg/vfs"
)

var errNoSite = reply(500, "Unknown SITE command.")

// site refuses the SITE commands that have no entry of their own in the table.
func (s *Session) site(context.Context, string) (Reply, error) { return Reply{}, errNoSite }

// siteHelp is HELP about SITE commands. Clients look for the words that they know in it.
func (s *Session) siteHelp(ctx context.Context, arg string) (Reply, error) {
	return s.help(ctx, "SITE "+arg)
}

// siteChmod sets the permissions of a file or directory.
func (s *Session) siteChmod(_ context.Context, arg string) (Reply, error) {
	digits, name, _ := strings.Cut(arg, " ")
	if name == "" {
		return Reply{}, errNoArg
	}
	mode, err := strconv.ParseUint(digits, 8, 12)
	if err != nil || len(digits) < 3 || len(digits) > 4 {
		return reply(501, "Not a mode; three or four octal digits are needed."), nil
	}
	if err := s.login.fs.Chmod(s.abs(name), uint32(mode)); err != nil {
		return Reply{}, err
	}
	return reply(200, "Mode set to %s.", digits), nil
}

// siteUmask shows or sets the umask of the session. Whoever may not change modes gets no other one either.
func (s *Session) siteUmask(_ context.Context, arg string) (Reply, error) {
	digits := trimBlanks(arg)
	if digits == "" {
		return reply(200, "The umask is %s.", s.login.fs.Umask()), nil
	}
	mask, err := strconv.ParseUint(digits, 8, 9)
	switch {
	case err != nil:
		return reply(501, "Not a umask; three octal digits are needed."), nil
	case !s.login.rights.Base.Has(config.Chmod):
		return Reply{}, vfs.ErrNotAllowed
	}
	s.login.fs.SetUmask(config.Mode(mask))
	return reply(200, "The umask is %s.", config.Mode(mask)), nil
}

// behindWord is the pathname in an argument that begins with something else.
func behindWord(arg string) string {
	_, name, _ := strings.Cut(arg, " ")
	return name
}
