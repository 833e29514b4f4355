package core_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/core"
	"ftpd/pkg/events"
	"ftpd/pkg/monitor"
)

// A oneUser is a supervisor with one user. It looks up no owners, signs for no certificate, and has
// no log.
type oneUser struct{ home string }

func (s oneUser) Admit(context.Context, monitor.Connection) (monitor.Admission, error) {
	return monitor.Admission{Session: "session1"}, nil // each session has an id of its own
}

func (s oneUser) Authenticate(
	_ context.Context, _ string, c auth.Credentials,
) (*auth.Account, error) {
	if c.User != "alice" || string(c.Password) != "secret" {
		return nil, &auth.Refusal{Cause: "wrong user or password"}
	}
	return &auth.Account{Name: "alice", Home: s.home}, nil
}

func (s oneUser) Names(context.Context, []uint32, []uint32) (monitor.Names, error) {
	return monitor.Names{}, nil
}

func (s oneUser) Group(context.Context, string) (gid uint32, found bool, err error) {
	return 0, false, nil
}

func (s oneUser) Sign(context.Context, monitor.Handshake) ([]byte, error) {
	return nil, errors.ErrUnsupported
}

func (s oneUser) ActiveSocket(context.Context, string, monitor.ActiveWay) (*os.File, error) {
	return nil, errors.ErrUnsupported
}

func (s oneUser) End(string)        {}
func (s oneUser) Emit(events.Event) {}

// A server in a program of its own: files are accessed with the rights of the process.
func Example() {
	home, err := os.MkdirTemp("", "home")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(home)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := core.New(core.Options{Config: config.Default(), Supervisor: oneUser{home}})
	go server.Serve(listener) // ends when the listener is closed
	defer server.Shutdown(context.Background())
	defer listener.Close()

	client, err := textproto.Dial("tcp", listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	client.ReadResponse(220)
	for _, command := range []string{"USER alice", "PASS secret", "MKD inbox", "PWD", "QUIT"} {
		client.PrintfLine("%s", command)
		code, text, _ := client.ReadResponse(0)
		fmt.Println(code, text)
	}
	// Output:
	// 331 Password required.
	// 230 Login successful.
	// 257 "/inbox" directory created.
	// 257 "/" is the current directory.
	// 221 Goodbye.
}
