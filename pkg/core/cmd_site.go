package core

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/vfs"
)

var errNoSite = reply(500, "Unknown SITE command.")

// site refuses the SITE commands that have no entry of their own in the table.
func (s *Session) site(context.Context, string) (Reply, error) { return Reply{}, errNoSite }

// siteHelp replies to HELP about SITE commands. Clients search the reply for the commands that
// they support.
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
	e, err := s.login.Files.Chmod(s.abs(name), uint32(mode))
	if err != nil {
		return Reply{}, err
	}
	now := uint64(vfs.UnixMode(e.Mode))
	if now != mode && now&0o777 != mode { // a directory keeps its special bits
		return keeps("mode", fmt.Sprintf("%03o", now)), nil
	}
	return reply(200, "Mode set to %s.", digits), nil
}

// keeps returns the reply for a file system that accepted an attribute without an error but
// has not changed it, as ntfs-3g and exfat do without the mount options for it. Other servers
// do not report that. A refusal would make sitecopy 0.16.6 fail as a whole, and a chmod of
// lftp 4.9.2 as well (its mirror and mc ignore the refusal).
func keeps(what, value string) Reply {
	return reply(200, "The file system keeps the %s %s.", what, value).Because(
		fmt.Errorf(
			"the file system keeps the %s %s: it has no others, or its mount options set this one",
			what, value,
		))
}

// siteUmask shows or sets the umask of the session. A user who may not change modes may not
// change the umask either.
func (s *Session) siteUmask(_ context.Context, arg string) (Reply, error) {
	digits := trimBlanks(arg)
	if digits == "" {
		return reply(200, "The umask is %s.", s.login.Files.Umask()), nil
	}
	mask, err := strconv.ParseUint(digits, 8, 9)
	switch {
	case err != nil:
		return reply(501, "Not a umask; three octal digits are needed."), nil
	case !s.login.Rights.Base.Has(config.Chmod):
		return Reply{}, vfs.ErrNotAllowed
	}
	s.login.Files.SetUmask(config.Mode(mask))
	return reply(200, "The umask is %s.", config.Mode(mask)), nil
}

// siteChgrp gives a file or directory to another group of the user's. A name is looked up in a
// job beside the session, since the name service may be slow, and only if the user may change
// the file.
func (s *Session) siteChgrp(ctx context.Context, arg string) (Reply, error) {
	group, name, _ := strings.Cut(arg, " ")
	if name == "" {
		return Reply{}, errNoArg
	}
	name = s.abs(name)
	if gid, err := strconv.ParseUint(group, 10, 32); err == nil {
		return s.changeGroup(name, group, uint32(gid))
	}
	if err := s.login.Files.MayChgrp(name); err != nil {
		return Reply{}, err
	}
	s.start(ctx, &groupChange{s: s, name: name, group: group})
	return Reply{}, nil // the job answers
}

var (
	errNoGroup = reply(550, "There is no such group.")
	errNoGID   = reply(501, "Not a group's number.")
)

func (s *Session) changeGroup(name, group string, gid uint32) (Reply, error) {
	if gid == math.MaxUint32 { // for chown(2) the number means "no change"
		return Reply{}, errNoGID
	}
	e, err := s.login.Files.Chgrp(name, gid)
	if err != nil {
		return Reply{}, err
	}
	if e.GID != gid {
		return keeps("group", strconv.FormatUint(uint64(e.GID), 10)), nil
	}
	return reply(200, "Group set to %s.", group), nil
}

var errIdleLimit = reply(504, "The idle timeout cannot be longer than the server's own.")

// siteIdle shows or sets the idle timeout of the session, in whole seconds. It is at most that
// of the server.
func (s *Session) siteIdle(_ context.Context, arg string) (Reply, error) {
	most := time.Duration(s.srv.config.Limits.IdleTimeout)
	if digits := trimBlanks(arg); digits != "" {
		seconds, err := strconv.ParseUint(digits, 10, 31)
		idle := time.Duration(seconds) * time.Second
		switch {
		case err != nil || seconds == 0:
			return reply(501, "Not a number of seconds."), nil
		case most > 0 && idle > most:
			return Reply{}, errIdleLimit
		}
		s.clock.Idle = idle
	}
	if s.clock.Idle == 0 {
		return reply(200, "There is no idle timeout."), nil
	}
	return reply(200, "The idle timeout is %g seconds.", s.clock.Idle.Seconds()), nil
}

// behindWord returns the pathname behind the first word of an argument.
func behindWord(arg string) string {
	_, name, _ := strings.Cut(arg, " ")
	return name
}
