package core

import (
	"context"

	"ftpd/pkg/transfer"
)

// errAborted ends a job, and the session goes on.
var errAborted = transfer.ErrAborted

// abor ends the transfer that runs (RFC 959 §4.1.3): the transfer command is then answered
// 426, and ABOR itself 226. Without a transfer, abor undoes PASV or PORT. The transfer may
// also be that of a user who has logged out, since the next user's transfers wait for it.
func (s *Session) abor(context.Context, string) (Reply, error) {
	j := s.phase.Running()
	if j == nil {
		s.dropOpener()
		return reply(225, "No transfer to abort."), nil
	}
	j.aborts++
	j.cancel(errAborted)
	return Reply{}, nil // the job's end answers
}

// answerAborts answers the ABORs that arrived while a job ran, behind the job's last reply.
func (s *Session) answerAborts(j *activeJob) {
	for range j.aborts {
		s.say(reply(226, "Abort successful."))
	}
}
