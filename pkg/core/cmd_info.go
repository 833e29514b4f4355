package core

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ftpd/pkg/ftpwire"
)

// syst replies with the system type, which describes the format of listings (RFC 959 §4.1.3).
// Java's commons-net chooses its parser by it.
func (s *Session) syst(context.Context, string) (Reply, error) {
	return reply(215, "UNIX Type: L8"), nil
}

// maxClient bounds the client's name, in bytes.
const maxClient = 64

// clnt stores the name of the client program, for the log.
func (s *Session) clnt(_ context.Context, arg string) (Reply, error) {
	name := trimBlanks(arg)
	s.client = strings.Clone(name[:min(len(name), maxClient)])
	return reply(200, "Noted."), nil
}

// allo reserves nothing (RFC 959 §4.1.3), but an upload that would be too large is refused
// before it begins. Net::FTP sends ALLO before each upload.
func (s *Session) allo(_ context.Context, arg string) (Reply, error) {
	s.params.announced = announcedBy(arg)
	return reply(202, "No allocation is necessary."), nil
}

// announcedBy returns the number of bytes in the argument of ALLO, or 0 if there is none (RFC
// 959 §4.1.3).
func announcedBy(arg string) int64 {
	first, _, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// noop does nothing (RFC 959 §4.1.3).
func (s *Session) noop(context.Context, string) (Reply, error) { return reply(200, "OK."), nil }

// feat lists the extensions, one in a line, each after one blank (RFC 2389 §3).
func (s *Session) feat(context.Context, string) (Reply, error) {
	features := []string{" TVFS", " UTF8"}
	for _, c := range s.srv.commands {
		switch c.feat {
		case "":
		case "MLST":
			features = append(features, " MLST "+s.params.facts.Feature())
		case "HASH":
			features = append(features, " HASH "+s.params.algorithm.Feature())
		default:
			for line := range strings.SplitSeq(c.feat, ";") {
				features = append(features, " "+line)
			}
		}
	}
	slices.Sort(features)
	return Reply{
		Code: 211, Text: append(append([]string{"Extensions supported:"}, features...), "End"),
	}, nil
}

// help lists the commands or the SITE commands, or replies with the syntax of one command (RFC
// 959 §4.1.3).
func (s *Session) help(_ context.Context, arg string) (Reply, error) {
	verb, prefix := strings.ToUpper(trimBlanks(arg)), ""
	switch verb {
	case "":
	case "SITE":
		prefix = "SITE "
	default:
		c := s.srv.commands[strings.Join(strings.Fields(verb), " ")]
		if c == nil || c.run == nil {
			return reply(501, "There is no such command."), nil
		}
		return reply(214, "Syntax: %s", c.help), nil
	}
	var words []string
	for verb, c := range s.srv.commands {
		word, ok := strings.CutPrefix(verb, prefix)
		if ok && !strings.Contains(word, " ") && c.run != nil {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return Reply{Code: 214, Text: slices.Concat(
		[]string{"These commands are recognized:"}, ftpwire.Rows(words),
		[]string{prefix + "HELP followed by a command tells its syntax."},
	)}, nil
}
