package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Serve answers requests on l until l is closed: those of root, of the user of this process and of
// members of the group gid; a negative gid means no group. If Accept fails, for example because the
// process has no free descriptor, Serve tries again after a pause.
func Serve(l net.Listener, gid int, s Service) {
	slots := make(chan struct{}, maxConnections)
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		slots <- struct{}{}
		go func() { // ends with its response, or at the deadline
			defer func() { <-slots }()
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(timeout))
			if err := checkClient(conn, gid); err != nil {
				json.NewEncoder(conn).Encode(response{Error: err.Error()})
				return
			}
			respond(conn, s)
		}()
	}
}

// respond reads one request from conn and writes the response to it.
func respond(conn net.Conn, s Service) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var req request
	line, err := bufio.NewReader(io.LimitReader(conn, maxRequest)).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &req)
	}
	var resp response
	switch {
	case err != nil:
		resp.Error = fmt.Sprintf("the request cannot be read: %v", err)
	case req.Command == "who":
		r := s.Who(ctx)
		resp.Report = &r
	case req.Command == "kick":
		resp.Ended = s.Kick(ctx, req.Target)
	default:
		resp.Error = fmt.Sprintf("the service has no command %q; "+
			"is the service older than the program that sent the command?", req.Command)
	}
	json.NewEncoder(conn).Encode(resp) // an error means that the other end has left
}
