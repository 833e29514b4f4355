package core

import (
	"context"

	"ftpd/pkg/events"
	"ftpd/pkg/listing"
	"ftpd/pkg/transfer"
	"ftpd/pkg/vfs"
)

// list sends a directory, or a file's line, as `ls -lA` writes it (RFC 959 §4.1.3).
func (s *Session) list(ctx context.Context, arg string) (Reply, error) {
	name, classify := s.listPath(arg)
	l := &dataListing{verb: "LIST", Lister: s.longLister(classify)}
	if p, ok := listing.FindPattern(s.login.Files, name, s.abs(name)); ok {
		return s.sendMatches(ctx, p, vfs.Links, l)
	}
	return s.sendList(ctx, s.abs(name), vfs.Links, l)
}

// A dataListing is a listing that is sent over a data connection.
type dataListing struct {
	listing.Lister
	from       listing.Source
	verb, path string // for the log
}

// longLister returns the Lister for LIST and STAT.
func (s *Session) longLister(classify bool) listing.Lister {
	owners := s.srv.owners
	if s.login.Settings.HideOwners {
		owners = nil
	}
	return listing.Long(s.srv.zone, owners, classify)
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
	if p, ok := listing.FindPattern(s.login.Files, name, s.abs(name)); ok {
		l.Prefix = p.Dir
		return s.sendMatches(ctx, p, detail, l)
	}
	return s.sendList(ctx, s.abs(name), detail, l)
}

// listPath returns the pathname in the argument of LIST, NLST or STAT, behind the options.
func (s *Session) listPath(arg string) (name string, classify bool) {
	return listing.CutOptions(arg, func(arg string) bool {
		_, err := s.login.Files.Lstat(s.abs(arg))
		return err == nil
	})
}

// sendList sends the listing l of a directory's entries, or of a file.
func (s *Session) sendList(
	ctx context.Context, name string, d vfs.Detail, l *dataListing,
) (Reply, error) {
	l.path = name
	var err error
	if l.from, err = listing.Open(s.login.Files, name, d); err != nil {
		return Reply{}, err
	}
	return s.sendEntries(ctx, l)
}

// sendMatches sends the listing l of the entries that match. If no entry matches, the reply is
// that of a missing file, as far as this is known before the transfer begins.
func (s *Session) sendMatches(
	ctx context.Context, p listing.Pattern, d vfs.Detail, l *dataListing,
) (Reply, error) {
	l.path = s.abs(p.Dir)
	var err error
	if l.from, err = listing.OpenMatches(s.login.Files, l.path, p, d); err != nil {
		return Reply{}, err
	}
	return s.sendEntries(ctx, l)
}

// sendEntries sends the listing l.
func (s *Session) sendEntries(ctx context.Context, l *dataListing) (Reply, error) {
	if err := s.claim(); err != nil {
		l.from.Close()
		return Reply{}, err
	}
	return s.transfer(ctx, transfer.OpeningList, task{
		move: func(ctx context.Context, t *transfer.Transfer) error {
			if err := l.Read(ctx, l.from.Next, t.Data().Write); err != nil {
				return err
			}
			block := t.Data().Blocks.Get()
			defer t.Data().Blocks.Put(block)
			return l.Flush(ctx, block[:], t.Data().Write)
		},
		finished: func(t *transferJob, r Reply) {
			l.from.Close()
			t.reportListing(l, r)
		},
	}), nil
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
