package core

import (
	"context"

	"ftpd/pkg/checksum"
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
	f, err := s.login.Files.Open(s.abs(arg))
	if err != nil {
		return Reply{}, err
	}
	a, p := s.params.algorithm, checksum.Whole(f)
	s.digest(ctx, "HASH", s.abs(arg), p, a, func(sum []byte) Reply {
		return reply(213, "%s 0-%d %x %s", a.Name, p.End(), sum, arg)
	})
	return Reply{}, nil // the job answers
}

// optsHASH shows or chooses the algorithm of HASH (draft-bryan-ftpext-hash §3.2), until the next
// user.
func (s *Session) optsHASH(_ context.Context, arg string) (Reply, error) {
	if name := trimBlanks(arg); name != "" {
		a := checksum.Find(name)
		if a == nil {
			return Reply{}, errNoHash
		}
		s.params.algorithm = a
	}
	return reply(200, "%s", s.params.algorithm.Name), nil
}

// digestOf returns the handler of an older command, which replies with the digest of one
// algorithm: of a file, or of its bytes from start to before end.
func digestOf(verb, algorithm string) func(*Session, context.Context, string) (Reply, error) {
	return func(s *Session, ctx context.Context, arg string) (Reply, error) {
		if s.params.restart > 0 {
			return Reply{}, errHashMarker
		}
		p, name, err := s.openPart(arg)
		if err != nil {
			return Reply{}, err
		}
		s.digest(ctx, verb, name, p, checksum.Find(algorithm), func(sum []byte) Reply {
			return reply(250, "%X", sum)
		})
		return Reply{}, nil // the job answers
	}
}

// openPart opens the file for a checksum: the file that has the whole argument as its name, or
// else the file named before start and end.
func (s *Session) openPart(arg string) (p *checksum.Part, name string, err error) {
	name = s.abs(arg)
	f, err := s.login.Files.Open(name)
	if err == nil {
		return checksum.Whole(f), name, nil
	}
	a := checksum.ParseArgument(arg)
	if a.Name == arg {
		return nil, name, err
	}
	name = s.abs(a.Name)
	if f, err = s.login.Files.Open(name); err != nil {
		return nil, name, err
	}
	if p, err = checksum.PartOf(f, a.Start, a.End); err != nil {
		f.Close()
		return nil, name, refuseHash(err)
	}
	return p, name, nil
}

// partPath returns the pathname in the argument of a checksum command.
func partPath(arg string) string { return checksum.ParseArgument(arg).Name }

// digest starts the job of a command that hashes a file.
func (s *Session) digest(
	ctx context.Context, verb, name string, p *checksum.Part, a *checksum.Algorithm,
	answer func(sum []byte) Reply,
) {
	s.start(ctx, &hashing{
		s: s, login: s.login, verb: verb, name: name, part: p, algorithm: a, answer: answer,
	})
}

// refuseHash returns the reply to a command that could not compute a digest.
func refuseHash(err error) Reply {
	switch err {
	case checksum.ErrBusy:
		return errHashesBusy
	case checksum.ErrOutside:
		return errHashPart
	}
	return refuse(err)
}
