package core

import (
	"context"
	"fmt"
	"slices"

	"ftpd/pkg/dtp"
	"ftpd/pkg/listing"
	"ftpd/pkg/vfs"
)

var errStatSize = reply(450, "Too many entries for STAT; use LIST.")

// stat replies with the state of the session and the progress of a transfer (RFC 959 §4.1.3).
// With a pathname it sends the listing of LIST on the control connection.
func (s *Session) stat(ctx context.Context, arg string) (Reply, error) {
	if arg == "" {
		return s.status(), nil
	}
	if s.login == nil {
		return Reply{}, errNeedLogin
	}
	arg, classify := s.listPath(arg)
	l := s.longLister(classify)
	from, err := listing.Open(s.login.Files, s.abs(arg), vfs.Links)
	if err != nil {
		return Reply{}, err
	}
	defer from.Close()
	if err := l.Collect(ctx, from.Next); err == listing.ErrTooLarge {
		return Reply{}, errStatSize
	} else if err != nil {
		return Reply{}, err
	}
	text := slices.Concat(
		[]string{"Status of " + s.abs(arg) + ":"}, l.Lines(), []string{"End of status."})
	return Reply{Code: 213, Text: text, Cause: l.Problem()}, nil
}

// status returns the reply to STAT without an argument.
func (s *Session) status() Reply {
	user := "Not logged in."
	switch {
	case s.login != nil:
		user = "Logged in as " + s.login.Account.Name + "."
	case s.attempt.user != "":
		user = "Waiting for the password."
	}
	kind := "binary"
	if s.params.dataType.IsASCII() {
		kind = "ASCII"
	}
	return Reply{Code: 211, Text: []string{
		"FTP server status:",
		fmt.Sprintf(" Connected to %s from %s.", s.conn.Local().Addr(), s.conn.Remote().Addr()),
		" " + user,
		" TYPE: " + kind + "; STRU: file; MODE: stream.",
		" " + s.dataStatus(),
		"End of status.",
	}}
}

func (s *Session) dataStatus() string {
	if j := s.phase.Running(); j != nil {
		if p, ok := j.job.(interface{ progress() string }); ok {
			return p.progress()
		}
	}
	switch s.params.opener.(type) {
	case *dtp.Passive:
		return "Waiting for a transfer command, in passive mode."
	case *dtp.Active:
		return "Waiting for a transfer command, in active mode."
	}
	return "No data connection."
}
