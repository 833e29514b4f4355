package core

import (
	"context"
	"fmt"
	"io"

	"ftpd/pkg/vfs"
)

var errStatSize = reply(450, "Too many entries for STAT; use LIST.")

// stat tells about the session, and how far a transfer is (RFC 959 §4.1.3); or, with a pathname, what LIST would, on the control
// connection.
func (s *Session) stat(ctx context.Context, arg string) (Reply, error) {
	if arg == "" {
		return s.status(), nil
	}
	if s.login == nil {
		return Reply{}, errNeedLogin
	}
	arg, classify := s.listPath(arg)
	l := s.longLister(classify)
	if err := l.collect(ctx, s.login.fs, s.abs(arg)); err != nil {
		return Reply{}, err
	}
	text := []string{"Status of " + s.abs(arg) + ":"}
	for _, line := range l.sorted() {
		text = append(text, string(l.text[line.start:line.end-2]))
	}
	return Reply{Code: 213, Text: append(text, "End of status."), Cause: l.trouble()}, nil
}

// collect gathers the lines of a directory, or of a file. Since nothing is sent before all is read, a directory may not be too large.
func (l *lister) collect(ctx context.Context, files *vfs.FS, name string) error {
	e, err := files.Stat(name)
	if err != nil || !e.Mode.IsDir() {
		if e, err = files.Lstat(name); err != nil {
			return err
		}
		l.meet(ctx, []vfs.Entry{e})
		l.add(&e, true)
		return nil
	}
	dir, err := files.OpenDir(name, vfs.Links)
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		batch, err := dir.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case len(l.lines)+len(batch) > maxSorted || len(l.text) > maxText:
			return errStatSize
		}
		l.meet(ctx, batch)
		for i := range batch {
			l.add(&batch[i], true)
		}
	}
}

// status is the answer to STAT alone.
func (s *Session) status() Reply {
	who := "Not logged in."
	switch {
	case s.login != nil:
		who = "Logged in as " + s.login.account.Name + "."
	case s.user != "":
		who = "Waiting for the password."
	}
	kind := "binary"
	if s.chosen.ascii() {
		kind = "ASCII"
	}
	return Reply{Code: 211, Text: []string{
		"FTP server status:",
		fmt.Sprintf(" Connected to %s from %s.", s.conn.Local().Addr(), s.conn.Remote().Addr()),
		" " + who,
		" TYPE: " + kind + "; STRU: file; MODE: stream.",
		" " + s.dataStatus(),
		"End of status.",
	}}
}

func (s *Session) dataStatus() string {
	switch j := s.running(); {
	case j == nil:
	case j.transfer != nil:
		return j.transfer.progress()
	case j.hash != nil:
		return j.hash.progress()
	}
	switch s.opener.(type) {
	case *passive:
		return "Waiting for a transfer command, in passive mode."
	case *active:
		return "Waiting for a transfer command, in active mode."
	}
	return "No data connection."
}

// progress says how far a transfer is. It may be called while the transfer runs.
func (t *transfer) progress() string {
	moved := t.data.moved.Load()
	switch {
	case !t.stands.Load():
		return "Waiting for the data connection."
	case t.what.size > 0:
		return fmt.Sprintf("Data connection open: %d of %d bytes moved.", moved, t.what.size)
	}
	return fmt.Sprintf("Data connection open: %d bytes moved.", moved)
}
