package core

import (
	"context"
	"path"
	"strings"

	"ftpd/pkg/listing"
	"ftpd/pkg/vfs"
)

var errMLSDFile = reply(501, "Not a directory.")

// mlsd sends a directory for programs (RFC 3659 §7). A link counts as the file to which it
// leads, because clients take a link with a type of its own for a file, or drop it. A link
// that leads nowhere is left out, since clients would fetch it and then fail as a whole.
func (s *Session) mlsd(ctx context.Context, arg string) (Reply, error) {
	dir := s.abs(arg)
	e, err := s.login.Files.Stat(dir)
	if err != nil {
		return Reply{}, err
	}
	if !e.Mode.IsDir() {
		return Reply{}, errMLSDFile
	}
	l := &dataListing{verb: "MLSD", Lister: listing.Lister{Before: s.factFormat().Append}}
	if s.visibleFacts()&listing.FactNames != 0 {
		l.Learn = s.srv.owners.Learn
	}
	detail := vfs.Targets
	if s.params.facts&listing.FactCreate != 0 {
		detail |= vfs.Created
	}
	return s.sendList(ctx, dir, detail, l)
}

// visibleFacts returns the facts in force without those that the user may not see.
func (s *Session) visibleFacts() listing.Facts {
	if s.login.Settings.HideOwners {
		return s.params.facts &^ listing.FactOwners
	}
	return s.params.facts
}

// factFormat returns the format of MLST and MLSD.
func (s *Session) factFormat() *listing.FactFormat {
	return &listing.FactFormat{Facts: s.visibleFacts(), Names: s.srv.owners.Of}
}

// mlst sends the facts of one file or directory over the control connection (RFC 3659 §7.2).
func (s *Session) mlst(ctx context.Context, arg string) (Reply, error) {
	name := s.abs(arg)
	e, err := listing.Stat(s.login.Files, name, s.params.facts)
	if err != nil {
		return Reply{}, err
	}
	if s.visibleFacts()&listing.FactNames != 0 {
		s.srv.owners.Learn(ctx, []vfs.Entry{e})
	}
	e.Name = path.Base(name)
	facts := s.factFormat().Append([]byte{' '}, &e)
	return Reply{Code: 250, Text: []string{"Listing " + name, string(facts) + name, "End"}}, nil
}

// optsMLST chooses facts (RFC 3659 §7.9). It ignores unknown ones. Its reply names the facts
// that are then in force.
func (s *Session) optsMLST(_ context.Context, arg string) (Reply, error) {
	list := trimBlanks(arg)
	if strings.ContainsAny(list, " \t") || list != "" && !strings.HasSuffix(list, ";") {
		return Reply{}, errSyntax
	}
	s.params.facts = listing.ParseFacts(list)
	text := "MLST OPTS"
	if s.params.facts != 0 {
		text += " " + s.params.facts.String()
	}
	return reply(200, "%s", text), nil
}
