package core

import (
	"context"

	"ftpd/pkg/impersonate"
	"ftpd/pkg/phase"
)

// A groupChange is the job of SITE CHGRP with the name of a group.
type groupChange struct {
	s     *Session
	name  string // of the file or directory, an absolute FTP path
	group string

	// run leaves the following for finish.
	gid   uint32
	found bool
	err   error
}

func (*groupChange) phase() phase.Phase { return phase.Exclusive }

func (g *groupChange) run(ctx context.Context) {
	g.gid, g.found, g.err = g.s.srv.supervisor.Group(ctx, g.group)
}

func (g *groupChange) finish(ctx context.Context) {
	if ctx.Err() != nil {
		return // the session ends
	}
	r := errNoGroup.Because(g.err)
	if g.found && g.err == nil {
		var err error
		if r, err = g.s.changeGroup(g.name, g.group, g.gid); err != nil {
			impersonate.Rethrow(err)
			r = refuse(err)
		}
	}
	g.s.report(g.s.srv.commands["SITE CHGRP"], g.name, r, g.s.login)
	g.s.say(r)
}
