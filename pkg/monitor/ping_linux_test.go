package monitor

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/auth"
	"ftpd/pkg/events"
)

// pinged runs a server that pings a core that often, and returns the core's end of its connection.
// The channel receives the result of the server.
func pinged(t *testing.T, interval time.Duration) (rawCore, chan error) {
	t.Helper()
	conn, fd := pair(t)
	server, core := NewServer(conn, new(fake), 3), rawCore{t, connOf(t, fd)}
	server.pingInterval = interval
	ended := make(chan error, 1)
	go func() { // ends with the connection, or with a silent core
		_, err := server.Run(func() {})
		ended <- err
	}()
	core.send(ready, struct{}{})
	return core, ended
}

// A core that does not answer is ended after three pings.
func TestSilentCore(t *testing.T) {
	core, ended := pinged(t, time.Millisecond)
	for range maxUnanswered {
		core.receive(ping, &struct{}{})
	}
	if err := <-ended; !errors.Is(err, errSilent) {
		t.Errorf("it ended with %v", err)
	}
}

// A core that sends other messages, but does not answer, is ended as well: the goroutine that
// carries out orders may hang alone. The server never waits long for one message.
func TestCoreThatSendsAndDoesNotAnswer(t *testing.T) {
	core, ended := pinged(t, 50*time.Millisecond)
	packet, err := encode(admit, 1, Connection{})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, maxMessage)
	for {
		if _, err := core.conn.Write(packet); err != nil {
			break
		}
		for {
			m, _, err := receive(core.conn, buf, nil)
			if err != nil || m.Kind == answer {
				break
			}
		}
	}
	if err := <-ended; !errors.Is(err, errSilent) {
		t.Errorf("it ended with %v", err)
	}
}

// A core that answers is not ended, however often it is pinged. An answer without a ping ends it.
func TestPong(t *testing.T) {
	core, ended := pinged(t, time.Millisecond)
	for range 10 * maxUnanswered {
		core.receive(ping, &struct{}{})
		core.send(pong, struct{}{})
	}
	packet, err := encode(pong, 0, struct{}{})
	for err == nil { // until the server has read more answers than it has sent pings
		_, err = core.conn.Write(packet)
	}
	if err := <-ended; err == nil || errors.Is(err, errSilent) {
		t.Errorf("it ended with %v", err)
	}
}

// A core whose requests are all under way, and whose messages fill the socket, still carries out
// orders, and answers pings when it is read again.
func TestPongOfABusyCore(t *testing.T) {
	server, client := connected(t)
	kicked := make(chan string, 1)
	go client.Run(Orders{ // ends with the connection
		Kick: func(session string) bool { kicked <- session; return true },
	})
	for range cap(client.slots[admit]) {
		go client.Admit(t.Context(), Connection{}) // ends with the test
	}
	for range cap(client.slots[authenticate]) {
		go client.Authenticate(t.Context(), "s1", auth.Credentials{}) // ends with the test
	}
	fill(t, client.conn)
	for range maxUnanswered {
		if err := server.send(ping, struct{}{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Kick("s1"); err != nil {
		t.Fatal(err)
	}
	<-kicked
	buf := make([]byte, maxMessage)
	for pongs := 0; pongs < maxUnanswered; {
		m, _, err := receive(server.conn, buf, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind == pong {
			pongs++
		}
	}
}

// fill sends events until the socket holds no more.
func fill(t *testing.T, conn *net.UnixConn) {
	t.Helper()
	packet, err := encode(event, 0, packEvent(events.Event{Kind: events.Upload}))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for err == nil {
			_, err = unix.Write(int(fd), packet)
		}
	})
}
