package core

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"ftpd/pkg/transport"
)

// An acceptor takes connections from one listener. It keeps two descriptors in reserve, the
// ends of a pipe, so that it can reply 421 to a client when no other descriptor is free.
// Without the reserve the client would wait in the queue without an answer, and the accept
// loop would spin: the poll reports the listener ready, and every accept fails.
type acceptor struct {
	srv      *Server
	listener net.Listener
	implicit bool // TLS begins at once
	spare    [2]*os.File
}

var errNoDescriptor = reply(421, "Too many connections, try again later.")

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
			a.serve(c)
		case errors.Is(err, net.ErrClosed) || !transient(err):
			return err
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
		}
		a.keepSpare()
	}
}

// serve starts a session, or replies 421 if this connection has the last descriptor.
func (a *acceptor) serve(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		nc.Close()
		return
	}
	c, err := transport.NewTCPConn(tcp)
	if err != nil {
		nc.Close()
		return
	}
	if !a.keepSpare() {
		refuseConn(c, errNoDescriptor, a.implicit)
		return
	}
	c.SetControl()
	go a.srv.serveConn(c, a.implicit) // ends with the session
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

// maxProxied bounds the control connections whose PROXY header is awaited; no other limit counts
// them yet.
const maxProxied = 256

// readProxyHeader reads the PROXY header of a control connection from a load balancer. On other
// connections the same bytes are a command.
func (srv *Server) readProxyHeader(c transport.Conn) error {
	if !srv.config.Server.ProxyProtocolFrom.Contains(c.Remote().Addr()) {
		return nil
	}
	if srv.proxied.Add(1) > maxProxied {
		srv.proxied.Add(-1)
		return errors.New("too many connections wait to be introduced")
	}
	defer srv.proxied.Add(-1)
	limit := time.Duration(srv.config.Limits.LoginTimeout)
	c.SetReadDeadline(transport.ProxyHeaderDeadline(limit))
	if srv.draining.Load() { // Shutdown may have woken the connection before the deadline was set
		return errShutdown
	}
	err := transport.ReadProxyHeader(c)
	if err != nil && srv.draining.Load() {
		return errShutdown
	}
	return err
}
