package transport

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// An acceptor takes connections from one listener. It keeps two descriptors in reserve, the
// ends of a pipe, so that it can answer a client when no other descriptor is free.
// Without the reserve the client would wait in the queue without an answer, and the accept
// loop would spin: the poll reports the listener ready, and every accept fails.
type acceptor struct {
	listener      net.Listener
	serve, refuse func(*TCPConn)
	spare         [2]*os.File
}

// Accept accepts TCP connections until l is closed, and then returns the error, which is
// net.ErrClosed. It continues when the process has no free descriptor. serve and refuse take a
// connection over, and delay the next one until they return. refuse gets a connection that has taken
// the last free descriptor: it answers the client and closes the connection.
func Accept(l net.Listener, serve, refuse func(*TCPConn)) error {
	a := acceptor{listener: l, serve: serve, refuse: refuse}
	a.keepSpare()
	defer a.dropSpare()
	return a.run()
}

func (a *acceptor) run() error {
	for pause := time.Duration(0); ; {
		c, err := a.listener.Accept()
		if outOfDescriptors(err) && a.spare[0] != nil {
			a.dropSpare()
			c, err = a.listener.Accept()
		}
		switch {
		case err == nil:
			pause = 0
			a.accepted(c)
		case errors.Is(err, net.ErrClosed) || !transient(err):
			return err
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		}
		a.keepSpare()
	}
}

// accepted passes a connection on.
func (a *acceptor) accepted(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		nc.Close()
		return
	}
	c, err := NewTCPConn(tcp)
	if err != nil {
		nc.Close()
		return
	}
	if !a.keepSpare() {
		a.refuse(c)
		return
	}
	a.serve(c)
}

func (a *acceptor) keepSpare() bool {
	if a.spare[0] == nil {
		r, w, err := os.Pipe()
		if err != nil {
			return false
		}
		a.spare = [2]*os.File{r, w}
	}
	return true
}

func (a *acceptor) dropSpare() {
	for i, f := range a.spare {
		if f != nil {
			f.Close()
		}
		a.spare[i] = nil
	}
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// transient reports whether accept may succeed again later.
func transient(err error) bool {
	for _, e := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED,
		syscall.ECONNRESET, syscall.EINTR, syscall.EAGAIN, syscall.EPERM, syscall.EPROTO,
		syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTUNREACH,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
