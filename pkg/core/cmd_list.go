package core

import (
	"context"
	"io/fs"
	"path"
	"strings"
	"time"

	"ftpd/pkg/events"
	"ftpd/pkg/vfs"
)

// list sends a directory, or a file's line, as `ls -lA` writes it (RFC 959 §4.1.3).
func (s *Session) list(ctx context.Context, arg string) (Reply, error) {
	name, classify := s.listPath(arg)
	l := s.longLister(classify)
	if g, ok := s.glob(name); ok {
		return s.sendMatches(ctx, g, vfs.Links, l)
	}
	return s.sendList(ctx, s.abs(name), vfs.Links, l)
}

// longLister writes lines of LIST and STAT.
func (s *Session) longLister(classify bool) *lister {
	format := &longFormat{zone: s.srv.zone, now: time.Now(), names: s.srv.names.of}
	l := &lister{verb: "LIST", learn: s.srv.names.learn, before: format.append, arrows: true, classify: classify}
	if s.login.settings.HideOwners {
		l.learn = nil
		format.names = func(*vfs.Entry) (user, group string) { return "ftp", "ftp" }
	}
	return l
}

// nlst sends names alone (RFC 959 §4.1.3). Those that match a pattern are as the client wrote it, with the directory before them: mget
// and mdelete take each for the pathname of a file (RFC 1123 §4.1.2.7). What is in a directory are bare names, as with pyftpdlib.
func (s *Session) nlst(ctx context.Context, arg string) (Reply, error) {
	name, classify := s.listPath(arg)
	l, detail := &lister{verb: "NLST", classify: classify}, vfs.NamesOnly
	if classify {
		detail = vfs.Links // some file systems have no types in their directories
	}
	if g, ok := s.glob(name); ok {
		l.prefix = g.dir
		return s.sendMatches(ctx, g, detail, l)
	}
	return s.sendList(ctx, s.abs(name), detail, l)
}

var errMLSDFile = reply(501, "Not a directory.")

// mlsd sends a directory for programs (RFC 3659 §7). A link counts as what it points to: with a type
// of its own, clients take it for a file, or drop it. One that points to nothing is left out: clients
// would fetch it, and fail as a whole.
func (s *Session) mlsd(ctx context.Context, arg string) (Reply, error) {
	dir := s.abs(arg)
	e, err := s.login.fs.Stat(dir)
	if err != nil {
		return Reply{}, err
	}
	if !e.Mode.IsDir() {
		return Reply{}, errMLSDFile
	}
	l := &lister{verb: "MLSD", before: s.factsIn(dir)}
	if s.told()&factWords != 0 {
		l.learn = s.srv.names.learn
	}
	detail := vfs.Targets
	if s.facts&factCreate != 0 {
		detail |= vfs.Created
	}
	return s.sendList(ctx, dir, detail, l)
}

// told are the facts that the session may be told, of those that it wants.
func (s *Session) told() factSet {
	if s.login.settings.HideOwners {
		return s.facts &^ (factNumbers | factWords)
	}
	return s.facts
}

// factsIn writes facts of a directory's entries. What rules permit is looked up for each entry only where there are rules.
func (s *Session) factsIn(dir string) func([]byte, *vfs.Entry) []byte {
	format := &factFormat{facts: s.told(), rights: s.login.rights.Base, names: s.srv.names.of}
	if len(s.login.rights.Rules) == 0 {
		return format.append
	}
	rights := s.login.rights
	return func(dst []byte, e *vfs.Entry) []byte {
		format.rights = rights.At(path.Join(dir, e.Name))
		return format.append(dst, e)
	}
}

// mlst tells the facts of one file or directory on the control connection (RFC 3659 §7.2).
func (s *Session) mlst(ctx context.Context, arg string) (Reply, error) {
	name := s.abs(arg)
	stat := s.login.fs.Stat
	if s.facts&factCreate != 0 {
		stat = s.login.fs.StatCreated
	}
	e, err := stat(name)
	if vfs.LeadsNowhere(err) {
		e, err = s.brokenLink(name, err)
	}
	if err != nil {
		return Reply{}, err
	}
	if s.told()&factWords != 0 {
		s.srv.names.learn(ctx, []vfs.Entry{e})
	}
	e.Name = path.Base(name)
	facts := s.factsIn(path.Dir(name))([]byte{' '}, &e)
	return Reply{Code: 250, Text: []string{"Listing " + name, string(facts) + name, "End"}}, nil
}

// brokenLink describes the link that name is, where what it leads to cannot be described for the
// reason why; else that stays the error.
func (s *Session) brokenLink(name string, why error) (vfs.Entry, error) {
	e, err := s.login.fs.Lstat(name)
	if err != nil || e.Mode&fs.ModeSymlink == 0 {
		return vfs.Entry{}, why
	}
	return e, nil
}

// listPath returns the pathname in the argument of LIST, NLST or STAT. Most clients send options of
// ls. One of them has an effect: F, classify, puts a slash behind the names of directories, which
// vim's netrw knows them by. A file that has such a name is meant where it exists, and a pattern is
// no option.
func (s *Session) listPath(arg string) (name string, classify bool) {
	for strings.HasPrefix(arg, "-") {
		if _, err := s.login.fs.Lstat(s.abs(arg)); err == nil {
			break
		}
		option, rest, ok := cutOption(arg)
		if !ok {
			break
		}
		classify = classify || !strings.HasPrefix(option, "--") && strings.Contains(option, "F")
		arg = rest
	}
	return arg, classify
}

// cutOption takes an option of ls off an argument.
func cutOption(arg string) (option, rest string, ok bool) {
	option, rest, _ = strings.Cut(arg, " ")
	ok = strings.HasPrefix(option, "-") && !strings.ContainsAny(option, globChars)
	return option, rest, ok
}

// behindOptions is the pathname that the log names when LIST, NLST or STAT is refused.
func behindOptions(arg string) string {
	for {
		_, rest, ok := cutOption(arg)
		if !ok {
			return arg
		}
		arg = rest
	}
}

// sendList sends what l makes of a directory's entries, or of a file.
func (s *Session) sendList(ctx context.Context, name string, d vfs.Detail, l *lister) (Reply, error) {
	l.path = name
	e, err := s.login.fs.Stat(name)
	if err != nil || !e.Mode.IsDir() {
		return s.sendLine(ctx, name, l)
	}
	dir, err := s.login.fs.OpenDir(name, d)
	if err != nil {
		return Reply{}, err
	}
	if err := s.claim(); err != nil {
		dir.Close()
		return Reply{}, err
	}
	return s.sendEntries(ctx, l, dir, dir.Next), nil
}

// sendEntries sends the entries that next yields, and closes dir.
func (s *Session) sendEntries(ctx context.Context, l *lister, dir *vfs.Dir, next func() ([]vfs.Entry, error)) Reply {
	return s.transfer(ctx, openingList, task{
		move: func(ctx context.Context, t *transfer) error { return l.list(ctx, t, next) },
		finished: func(_ *transfer, r Reply) {
			dir.Close()
			s.reportListing(l, r)
		},
	})
}

// reportListing writes to the log why a listing failed (its data connection is where trouble with the
// network shows first), or that it could not describe all.
func (s *Session) reportListing(l *lister, r Reply) {
	if !r.IsRefusal() {
		r.Cause = l.trouble()
	}
	if r.Cause != nil || r.IsRefusal() {
		s.emit(events.Event{
			Kind: events.Command, Verb: l.verb, Path: l.path, Reply: r.Code, Cause: r.Reason(),
		})
	}
}

// sendLine lists what is no directory, a link that leads nowhere among it.
func (s *Session) sendLine(ctx context.Context, name string, l *lister) (Reply, error) {
	e, err := s.login.fs.Lstat(name)
	if err != nil {
		return Reply{}, err
	}
	if err := s.claim(); err != nil {
		return Reply{}, err
	}
	return s.transfer(ctx, openingList, task{
		move: func(ctx context.Context, t *transfer) error {
			l.meet(ctx, []vfs.Entry{e})
			l.add(&e, false)
			return t.write(ctx, l.text)
		},
		finished: func(_ *transfer, r Reply) { s.reportListing(l, r) },
	}), nil
}
