package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
)

// A message is one packet: JSON, whose unknown fields are ignored.
type message struct {
	Kind kind            `json:"kind"`
	ID   uint64          `json:"id,omitempty"` // of a request, and of its answer; 0 where none is awaited
	Body json.RawMessage `json:"body,omitempty"`
}

// The bodies. Names and paths are bytes in FTP, and JSON's strings are not: they travel as []byte.
type (
	configureBody struct {
		Version   int `json:"version"`
		Listeners int `json:"listeners"`
	}
	authenticateBody struct {
		Session  string `json:"session"`
		User     []byte `json:"user"`
		Password []byte `json:"password"`
	}
	authenticateAnswer struct {
		Account *auth.Account `json:"account,omitempty"`
		Refused bool          `json:"refused,omitempty"`
		Public  string        `json:"public,omitempty"` // with Refused: what the client may know
		Busy    bool          `json:"busy,omitempty"`   // auth.ErrBusy
	}
	namesBody struct {
		Users  []uint32 `json:"users,omitempty"`
		Groups []uint32 `json:"groups,omitempty"`
	}
	groupBody struct {
		Name []byte `json:"name"`
	}
	groupAnswer struct {
		GID    *uint32 `json:"gid,omitempty"`    // nil: there is none of that name
		Failed bool    `json:"failed,omitempty"` // nobody could tell
	}
	signAnswer struct {
		Signature []byte `json:"signature,omitempty"`
	}
	activeBody struct {
		Session string     `json:"session"`
		Local   netip.Addr `json:"local"`
	}
	activeAnswer struct {
		Failure string `json:"failure,omitempty"` // why there is no socket; "" when one comes along
	}
	drainBody struct {
		Timeout time.Duration `json:"timeout"`
	}
	endBody struct {
		Session string `json:"session"`
	}
	// eventBody shadows the fields of Event that hold bytes of clients.
	eventBody struct {
		events.Event
		Path   []byte `json:"path,omitempty"`
		Host   []byte `json:"host,omitempty"`
		To     []byte `json:"to,omitempty"`
		User   []byte `json:"user,omitempty"`
		Cause  []byte `json:"cause,omitempty"`
		Client []byte `json:"client,omitempty"`
	}
)

// maxText bounds each text of an event, so that the whole stays under its bound in the table: paths are at most PATH_MAX.
const maxText = 4096

func clip(s string) []byte { return []byte(s[:min(len(s), maxText)]) }

func packEvent(e events.Event) eventBody {
	return eventBody{Event: e, Path: clip(e.Path), Host: clip(e.Host), To: clip(e.To), User: clip(e.User), Cause: clip(e.Cause),
		Client: []byte(e.Client)}
}

func (b eventBody) unpack() events.Event {
	e := b.Event
	e.Path, e.Host, e.To, e.User, e.Cause = string(b.Path), string(b.Host), string(b.To), string(b.User), string(b.Cause)
	e.Client = string(b.Client)
	return e
}

func encode(k kind, id uint64, body any) ([]byte, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxAnswer {
		return nil, fmt.Errorf("a %s of %d bytes is over the bound of %d", k, len(raw), maxAnswer)
	}
	return json.Marshal(message{Kind: k, ID: id, Body: raw})
}

// receive reads one message and the descriptors that came with it, which the caller owns.
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
	var m message
	if err := json.Unmarshal(buf[:n], &m); err != nil {
		return message{}, files, fmt.Errorf("a message is not JSON: %w", err)
	}
	return m, files, nil
}

func descriptors(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	control, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("parse what came with a message: %w", err)
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
