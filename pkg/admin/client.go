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

// Who returns the report of the service that listens on socket.
func Who(socket string) (Report, error) {
	resp, err := exchange(socket, request{Command: "who"})
	if err != nil {
		return Report{}, err
	}
	if resp.Report == nil {
		return Report{}, fmt.Errorf("%s: a response without a report", socket)
	}
	return *resp.Report, nil
}

// Kick ends the sessions that match target in the service that listens on socket. It returns how
// many ended.
func Kick(socket, target string) (ended int, err error) {
	resp, err := exchange(socket, request{Command: "kick", Target: target})
	return resp.Ended, err
}

// exchange sends a request to the service that listens on socket, and returns the response.
func exchange(socket string, req request) (response, error) {
	conn, err := net.DialTimeout("unix", socket, timeout)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return response{}, fmt.Errorf("no ftpd answers at %s (admin.socket): is it running?",
			socket)
	case errors.Is(err, fs.ErrPermission):
		return response{}, fmt.Errorf("%s is for root and members of the group %s", socket, Group)
	case err != nil:
		return response{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(timeout))
	if err := checkServer(conn, socket); err != nil {
		return response{}, err
	}
	sendErr := json.NewEncoder(conn).Encode(req)
	var resp response // a service that refuses the client does not wait for the request
	if err := json.NewDecoder(conn).Decode(&resp); err != nil {
		if sendErr != nil {
			return response{}, fmt.Errorf("send a request to %s: %w", socket, sendErr)
		}
		return response{}, fmt.Errorf("read the response of %s: %w", socket, err)
	}
	if resp.Error != "" {
		return response{}, errors.New(resp.Error)
	}
	return resp, nil
}
