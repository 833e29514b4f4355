package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"ftpd/pkg/auth"
)

// A message is one packet, as JSON. Unknown fields are ignored.
type message struct {
	Kind kind            `json:"kind"`
	ID   uint64          `json:"id,omitempty"` // of a request and its answer; 0: no answer
	Body json.RawMessage `json:"body,omitempty"`
}

// truncate returns the first bytes of s, at most max. Names and paths are bytes in FTP, which
// a string of JSON cannot hold. Therefore they are sent as []byte.
func truncate(s string, max int) []byte { return []byte(s[:min(len(s), max)]) }

// encode returns the packet of a message.
func encode(k kind, id uint64, body any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxAnswer {
		return nil, fmt.Errorf("a %s of %d bytes is over the bound of %d", k, len(raw), maxAnswer)
	}
	packet, err := json.Marshal(message{Kind: k, ID: id, Body: raw})
	if b, ok := body.(authenticateBody); ok && err == nil {
		packet = auth.AppendPassword(packet, b.secret)
	}
	return packet, err
}

// receive reads one message. It returns the descriptors in it as files, which the caller owns.
func receive(conn *net.UnixConn, buf, oob []byte) (message, []*os.File, error) {
	n, oobn, flags, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return message{}, nil, err
	}
	if n == 0 && oobn == 0 {
		return message{}, nil, io.EOF
	}
	files, err := descriptors(oob[:oobn])
	if err != nil {
		return message{}, nil, err
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return message{}, files, errors.New("a message is over the bound")
	}
	defer clear(buf[:n]) // it may hold a password
	var m message
	if err := json.Unmarshal(buf[:n], &m); err != nil {
		return message{}, files, fmt.Errorf("a message is not JSON: %w", err)
	}
	return m, files, nil
}

// descriptors returns the descriptors in the control data of a message as files.
func descriptors(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	control, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("parse the control data of a message: %w", err)
	}
	var files []*os.File
	for _, c := range control {
		fds, err := unix.ParseUnixRights(&c)
		if err != nil {
			return files, fmt.Errorf("parse descriptors: %w", err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}
