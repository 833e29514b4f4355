package core

import (
	"context"
	"io"
	"strconv"
	"strings"

	"ftpd/pkg/vfs"
)

var (
	errHashMarker = reply(503, "Bad sequence of commands: a restart marker is for transfers; "+
		"use REST 0 first.")
	errHashPart    = reply(550, "The file has no such part.")
	errNoHash      = reply(501, "Unknown algorithm, current selection not changed.")
	errHashesBusy  = reply(450, "Too many files are being hashed; try again later.")
	errHashAborted = reply(426, "Hashing aborted.")
)

// hash replies with the digest of a whole file (draft-bryan-ftpext-hash §3), as a client would
// compute it after a binary download, in any TYPE. The draft hashes parts of files after RANG,
// which is not implemented. A restart marker would promise a part, so HASH is refused after
// REST and the marker stays. The end point in the reply is the file's size, as with
// FileZilla's server and ProFTPD: the first byte that does not belong to the range.
func (s *Session) hash(ctx context.Context, arg string) (Reply, error) {
	if s.params.restart > 0 {
		return Reply{}, errHashMarker
	}
	f, err := s.login.fs.Open(s.abs(arg))
	if err != nil {
		return Reply{}, err
	}
	a, h := s.params.algorithm, &filePart{file: f, length: -1}
	s.digest(ctx, "HASH", s.abs(arg), h, a, func(sum []byte) Reply {
		return reply(213, "%s 0-%d %x %s", a.name, h.end(), sum, arg)
	})
	return Reply{}, nil // the job answers
}

// optsHASH shows or chooses the algorithm of HASH (draft-bryan-ftpext-hash §3.2), until the next
// user.
func (s *Session) optsHASH(_ context.Context, arg string) (Reply, error) {
	if name := trimBlanks(arg); name != "" {
		a := findAlgorithm(name)
		if a == nil {
			return Reply{}, errNoHash
		}
		s.params.algorithm = a
	}
	return reply(200, "%s", s.params.algorithm.name), nil
}

// checksum returns the handler of an older command, which replies with the digest of one
// algorithm: of a file, or of its bytes from start to before end.
func checksum(verb, algorithm string) func(*Session, context.Context, string) (Reply, error) {
	return func(s *Session, ctx context.Context, arg string) (Reply, error) {
		if s.params.restart > 0 {
			return Reply{}, errHashMarker
		}
		h, name, err := s.openPart(arg)
		if err != nil {
			return Reply{}, err
		}
		s.digest(ctx, verb, name, h, findAlgorithm(algorithm), func(sum []byte) Reply {
			return reply(250, "%X", sum)
		})
		return Reply{}, nil // the job answers
	}
}

// openPart opens the file for a checksum: the file that has the whole argument as its name, or
// else the file named before start and end.
func (s *Session) openPart(arg string) (h *filePart, name string, err error) {
	name = s.abs(arg)
	f, err := s.login.fs.Open(name)
	if err == nil {
		return &filePart{file: f, length: -1}, name, nil
	}
	p := parsePart(arg)
	if p.name == arg {
		return nil, name, err
	}
	name = s.abs(p.name)
	if f, err = s.login.fs.Open(name); err != nil {
		return nil, name, err
	}
	h = &filePart{file: f, start: p.start, length: -1}
	if p.end >= 0 {
		h.length = p.end - p.start
	}
	if size := f.Size(); p.end >= 0 && h.length < 0 || size > 0 && max(p.start, p.end) > size {
		f.Close()
		return nil, name, errHashPart
	}
	return h, name, nil
}

// A part is the argument of a checksum command. A negative end is the end of the file.
type part struct {
	name       string
	start, end int64
}

// parsePart reads "pathname [start [end]]", the pathname perhaps in double quotes.
func parsePart(arg string) part {
	rest, last, ok := lastNumber(arg)
	if !ok {
		return part{unquoted(arg), 0, -1}
	}
	if name, start, ok := lastNumber(rest); ok {
		return part{unquoted(name), start, last}
	}
	return part{unquoted(rest), last, -1}
}

// lastNumber cuts off a number at the end of s. Other text must stand before the number.
func lastNumber(s string) (before string, n int64, ok bool) {
	s = strings.TrimRight(s, " ")
	at := strings.LastIndexByte(s, ' ')
	u, err := strconv.ParseUint(s[at+1:], 10, 63)
	before = strings.TrimRight(s[:max(at, 0)], " ")
	return before, int64(u), err == nil && before != ""
}

// partPath returns the pathname in the argument of a checksum command.
func partPath(arg string) string { return parsePart(arg).name }

// unquoted removes double quotes that enclose the whole name.
func unquoted(name string) string {
	bare := strings.TrimRight(name, " ")
	if len(bare) > 2 && bare[0] == '"' && bare[len(bare)-1] == '"' {
		return bare[1 : len(bare)-1]
	}
	return name
}

// digest starts the job of a command that hashes a file.
func (s *Session) digest(
	ctx context.Context, verb, name string, p *filePart, a *algorithm,
	answer func(sum []byte) Reply,
) {
	s.start(ctx, &hashing{
		s: s, login: s.login, verb: verb, name: name, part: p, algorithm: a, answer: answer,
	})
}

// refuseHash returns the reply to a command that could not compute a digest.
func refuseHash(err error) Reply {
	switch err {
	case errNoPlace:
		return errHashesBusy
	case io.EOF, vfs.ErrOffset:
		return errHashPart
	}
	return refuse(err)
}
