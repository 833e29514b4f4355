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

// Serve answers at l until that is closed. Where there is no descriptor for a while, it tries again.
func Serve(l net.Listener, s Service) {
	places := make(chan struct{}, maxAsking)
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		places <- struct{}{}
		go func() { // ends with its answer, or when patience does
			defer func() { <-places }()
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			respond(conn, s)
		}()
	}
}

func respond(conn net.Conn, s Service) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var q question
	line, err := bufio.NewReader(io.LimitReader(conn, maxQuestion)).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &q)
	}
	var a answer
	switch {
	case err != nil:
		a.Error = fmt.Sprintf("the question cannot be read: %v", err)
	case q.Command == "who":
		r := s.Who(ctx)
		a.Report = &r
	case q.Command == "kick":
		a.Ended = s.Kick(ctx, q.Target)
	default:
		a.Error = fmt.Sprintf("this service does not know the command %q; is it an older one than the program that asked?", q.Command)
	}
	json.NewEncoder(conn).Encode(a) // who has left does not read it
}
