package monitor

import (
	"context"
	"errors"
	"fmt"
)

// The requests that look up users and groups: names and group.

const names kind = "names"

type namesBody struct {
	Users  []uint32 `json:"users,omitempty"`
	Groups []uint32 `json:"groups,omitempty"`
}

// Names implements Supervisor.
func (c *Client) Names(ctx context.Context, uids, gids []uint32) (Names, error) {
	var n Names
	err := c.call(ctx, names, namesBody{Users: uids, Groups: gids}, &n)
	return n, err
}

// names answers with no names if the lookup fails or the answer is too large. The listing then
// shows numbers.
func (s *Server) names(ctx context.Context, r request, body namesBody) error {
	if n := len(body.Users) + len(body.Groups); n > MaxNames {
		return fmt.Errorf("core requested %d names at once", n)
	}
	inBackground(ctx, r, func(ctx context.Context) {
		n, err := s.sup.Names(ctx, body.Users, body.Groups)
		if err != nil {
			n = Names{}
		}
		if !s.reply(r, n) {
			s.reply(r, Names{})
		}
	})
	return nil
}

const group kind = "group"

type groupBody struct {
	Name []byte `json:"name"`
}

type groupAnswer struct {
	GID    *uint32 `json:"gid,omitempty"`    // nil: there is no group with this name
	Failed bool    `json:"failed,omitempty"` // the lookup failed
}

// Group implements Supervisor.
func (c *Client) Group(
	ctx context.Context, name string,
) (gid uint32, found bool, err error) {
	if len(name) > MaxGroupName {
		return 0, false, nil
	}
	var a groupAnswer
	switch err := c.call(ctx, group, groupBody{Name: []byte(name)}, &a); {
	case err != nil:
		return 0, false, err
	case a.Failed:
		return 0, false, errors.New("the supervisor could not look up the group")
	case a.GID == nil:
		return 0, false, nil
	}
	return *a.GID, true, nil
}

func (s *Server) group(ctx context.Context, r request, body groupBody) error {
	if n := len(body.Name); n > MaxGroupName {
		return fmt.Errorf("core requested a group with a name of %d bytes", n)
	}
	inBackground(ctx, r, func(ctx context.Context) {
		gid, found, err := s.sup.Group(ctx, string(body.Name))
		a := groupAnswer{Failed: err != nil}
		if found {
			a.GID = &gid
		}
		s.reply(r, a)
	})
	return nil
}
