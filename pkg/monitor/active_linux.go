package monitor

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const activeSocket kind = "active-socket"

type activeBody struct {
	Session string    `json:"session"`
	Way     ActiveWay `json:"way"`
}

type activeAnswer struct {
	// Failure is the reason why there is no socket; "" if the answer carries one.
	Failure string `json:"failure,omitempty"`
}

// ActiveSocket implements Supervisor.
func (c *Client) ActiveSocket(
	ctx context.Context, session string, way ActiveWay,
) (*os.File, error) {
	var a activeAnswer
	body := activeBody{Session: session, Way: way}
	file, err := c.callFile(ctx, activeSocket, body, &a)
	if err == nil && file == nil {
		err = errors.New(a.Failure)
	}
	return file, err
}

func (s *Server) activeSocket(ctx context.Context, r request, body activeBody) error {
	if !s.has(body.Session) {
		return errors.New("core requested a socket of a session that it does not have")
	}
	inBackground(ctx, r, func(ctx context.Context) {
		file, err := s.sup.ActiveSocket(ctx, body.Session, body.Way)
		if err != nil {
			s.reply(r, activeAnswer{Failure: err.Error()})
			return
		}
		defer file.Close()
		raw, err := file.SyscallConn() // file.Fd would switch the socket to blocking mode
		if err == nil {
			err = raw.Control(func(fd uintptr) {
				s.replyWith(r, activeAnswer{}, unix.UnixRights(int(fd)))
			})
		}
		if err != nil {
			s.reply(r, activeAnswer{Failure: err.Error()})
		}
	})
	return nil
}
