package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"ftpd/pkg/events"
	"ftpd/pkg/listing"
	"ftpd/pkg/transfer"
	"ftpd/pkg/vfs"
)

// list sends a directory, or a file's line, as `ls -lA` writes it (RFC 959 §4.1.3).
func (s *Session) list(ctx context.Context, arg string) (Reply, error) {
	name, classify := s.listPath(arg)
	l := &dataListing{verb: "LIST", Lister: s.longLister(classify)}
	if p, ok := s.pattern(name); ok {
		return s.sendMatches(ctx, p, vfs.Links, l)
	}
	return s.sendList(ctx, s.abs(name), vfs.Links, l)
}

// A dataListing is a listing that is sent over a data connection.
type dataListing struct {
	listing.Lister
	verb, path string // for the log
}

// longLister returns the Lister for LIST and STAT.
func (s *Session) longLister(classify bool) listing.Lister {
	format := &listing.LongFormat{Zone: s.srv.zone, Now: time.Now(), Names: s.srv.owners.Of}
	l := listing.Lister{
		Learn: s.srv.owners.Learn, Before: format.Append, Arrows: true, Classify: classify,
	}
	if s.login.Settings.HideOwners {
		l.Learn = nil
		format.Names = func(*vfs.Entry) (user, group string) { return "ftp", "ftp" }
	}
	return l
}

// nlst sends names alone (RFC 959 §4.1.3). The names that match a pattern have the form of the
// pattern, with the directory before them: mget and mdelete use each as the pathname of a file
// (RFC 1123 §4.1.2.7). The names in a directory have no directory before them, as with
// pyftpdlib.
func (s *Session) nlst(ctx context.Context, arg string) (Reply, error) {
	name, classify := s.listPath(arg)
	l := &dataListing{verb: "NLST", Lister: listing.Lister{Classify: classify}}
	detail := vfs.NamesOnly
	if classify {
		detail = vfs.Links // some file systems have no types in their directories
	}
	if p, ok := s.pattern(name); ok {
		l.Prefix = p.Dir
		return s.sendMatches(ctx, p, detail, l)
	}
	return s.sendList(ctx, s.abs(name), detail, l)
}

// listPath returns the pathname in the argument of LIST, NLST or STAT. Most clients send
// options of ls. One option has an effect: F, classify, puts a slash behind the names of
// directories, by which vim's netrw recognizes them. If a file has the name of an option, the
// argument is that file; a pattern is no option.
func (s *Session) listPath(arg string) (name string, classify bool) {
	for strings.HasPrefix(arg, "-") {
		if _, err := s.login.Files.Lstat(s.abs(arg)); err == nil {
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

// cutOption cuts an option of ls off an argument.
func cutOption(arg string) (option, rest string, ok bool) {
	option, rest, _ = strings.Cut(arg, " ")
	ok = strings.HasPrefix(option, "-") && !listing.HasPattern(option)
	return option, rest, ok
}

// behindOptions returns the pathname that the log names when LIST, NLST or STAT is refused.
func behindOptions(arg string) string {
	for {
		_, rest, ok := cutOption(arg)
		if !ok {
			return arg
		}
		arg = rest
	}
}

// sendList sends the listing l of a directory's entries, or of a file.
func (s *Session) sendList(
	ctx context.Context, name string, d vfs.Detail, l *dataListing,
) (Reply, error) {
	l.path = name
	e, err := s.login.Files.Stat(name)
	if err != nil || !e.Mode.IsDir() {
		return s.sendLine(ctx, name, l)
	}
	dir, err := s.login.Files.OpenDir(name, d)
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
func (s *Session) sendEntries(
	ctx context.Context, l *dataListing, dir *vfs.Dir, next func() ([]vfs.Entry, error),
) Reply {
	return s.transfer(ctx, transfer.OpeningList, task{
		move: func(ctx context.Context, t *transfer.Transfer) error {
			if err := l.Read(ctx, next, t.Data().Write); err != nil {
				return err
			}
			block := t.Data().Blocks.Get()
			defer t.Data().Blocks.Put(block)
			return l.Flush(ctx, block[:], t.Data().Write)
		},
		finished: func(t *transferJob, r Reply) {
			dir.Close()
			t.reportListing(l, r)
		},
	})
}

// reportListing logs why a listing failed, or that it could not describe all entries. The data
// connection of a listing is where trouble with the network often shows first.
func (t *transferJob) reportListing(l *dataListing, r Reply) {
	if !r.IsRefusal() {
		r.Cause = l.Problem()
	}
	if r.Cause != nil || r.IsRefusal() {
		t.report(events.Event{
			Kind: events.Command, Verb: l.verb, Path: l.path, Reply: r.Code, Cause: r.Reason(),
		})
	}
}

// sendLine sends the line of a file that is no directory. It lists also a link that leads
// nowhere.
func (s *Session) sendLine(ctx context.Context, name string, l *dataListing) (Reply, error) {
	e, err := s.login.Files.Lstat(name)
	if err != nil {
		return Reply{}, err
	}
	if err := s.claim(); err != nil {
		return Reply{}, err
	}
	return s.transfer(ctx, transfer.OpeningList, task{
		move: func(ctx context.Context, t *transfer.Transfer) error {
			return t.Data().Write(ctx, l.Line(ctx, e))
		},
		finished: func(t *transferJob, r Reply) { t.reportListing(l, r) },
	}), nil
}

// pattern parses a pathname as a pattern and reports whether it is one. If a file has the
// whole pathname as its name, it is no pattern.
func (s *Session) pattern(arg string) (listing.Pattern, bool) {
	p, ok := listing.ParsePattern(arg)
	if !ok {
		return p, false
	}
	_, err := s.login.Files.Lstat(s.abs(arg))
	// ErrName: Windows has no file with such a name
	return p, errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrName)
}

// sendMatches sends the listing l of the entries that match. If no entry matches, the reply is
// that of a missing file, as far as this is known before the transfer begins: a directory of
// more than MaxSorted names is read on in the transfer, which then may send nothing.
func (s *Session) sendMatches(
	ctx context.Context, p listing.Pattern, d vfs.Detail, l *dataListing,
) (Reply, error) {
	l.path = s.abs(p.Dir)
	dir, err := s.login.Files.OpenDir(l.path, d)
	if err != nil {
		return Reply{}, err
	}
	dir.Only(p.Match)
	first, err := firstMatches(dir)
	if err == io.EOF {
		err = fmt.Errorf("no name matches %q: %w", p.Name, fs.ErrNotExist)
	}
	if err == nil {
		err = s.claim()
	}
	if err != nil {
		dir.Close()
		return Reply{}, err
	}
	return s.sendEntries(ctx, l, dir, func() ([]vfs.Entry, error) {
		if batch := first; len(batch) > 0 {
			first = nil
			return batch, nil
		}
		return dir.Next()
	}), nil
}

// firstMatches returns the matches among about the first MaxSorted names.
func firstMatches(dir *vfs.Dir) (batch []vfs.Entry, err error) {
	for range 2 {
		if batch, err = dir.Next(); err != nil || len(batch) > 0 {
			break
		}
	}
	return batch, err
}
