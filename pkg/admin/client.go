package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"
)

// Who asks the service at the socket.
func Who(socket string) (Report, error) {
	a, err := ask(socket, question{Command: "who"})
	if err != nil {
		return Report{}, err
	}
	if a.Report == nil {
		return Report{}, fmt.Errorf("%s: an answer without a report", socket)
	}
	return *a.Report, nil
}

// Kick has the service at the socket end sessions, and says how many.
func Kick(socket, target string) (ended int, err error) {
	a, err := ask(socket, question{Command: "kick", Target: target})
	return a.Ended, err
}

func ask(socket string, q question) (answer, error) {
	conn, err := net.DialTimeout("unix", socket, patience)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return answer{}, fmt.Errorf("no ftpd answers at %s (admin.socket): is it running?", socket)
	case errors.Is(err, fs.ErrPermission):
		return answer{}, fmt.Errorf("%s is for root and members of the group %s", socket, Group)
	case err != nil:
		return answer{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", socket, err)
	}
	var a answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return answer{}, fmt.Errorf("read the answer of %s: %w", socket, err)
	}
	if a.Error != "" {
		return answer{}, errors.New(a.Error)
	}
	return a, nil
}
