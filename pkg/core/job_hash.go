package core

import (
	"context"
	"fmt"

	"ftpd/pkg/checksum"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/login"
	"ftpd/pkg/phase"
)

// A hashing is the job of HASH and of the older commands that hash a file.
type hashing struct {
	s         *Session
	login     *login.Login // the login that sent the command
	verb      string
	name      string // an absolute FTP path
	part      *checksum.Part
	algorithm *checksum.Algorithm
	answer    func(sum []byte) Reply

	// run leaves the following for finish.
	sum   []byte
	err   error
	ended error // why the job was ended; nil if it was not
}

func (*hashing) phase() phase.Phase { return phase.Concurrent }

func (h *hashing) run(ctx context.Context) {
	defer h.part.Close()
	h.sum, h.err = h.s.srv.hashes.Sum(ctx, h.part, h.algorithm)
	impersonate.Rethrow(h.err)
	h.ended = context.Cause(ctx)
}

// finish also writes a refusal to the log.
func (h *hashing) finish(context.Context) {
	var r Reply
	switch {
	case h.err == nil:
		r = h.answer(h.sum)
	case h.ended == errAborted:
		r = errHashAborted.Because(errAborted)
	case h.ended != nil:
		return // the session ends, with its own reply
	default:
		r = refuseHash(h.err)
	}
	h.s.report(h.s.srv.commands[h.verb], h.name, r, h.login)
	h.s.say(r)
}

// progress returns a line of STAT. It may be called while the file is read.
func (h *hashing) progress() string {
	return fmt.Sprintf("Hashing a file: %d bytes read.", h.part.Read())
}
