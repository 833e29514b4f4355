// Package core implements FTP: RFC 959 and its successors, and nothing else. It uses no file
// outside the users' trees, no configuration file and no password database; for all that comes
// from outside it calls its Supervisor.
//
// Files are accessed with the rights of the process, or with those of the users if Options has
// Threads. The process has umask 0, because each user has an umask in the configuration.
package core

import (
	"context"
	"io"
	"net"
	"net/netip"
	"runtime"
	"time"

	"ftpd/pkg/checksum"
	"ftpd/pkg/config"
	"ftpd/pkg/control"
	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/limit"
	"ftpd/pkg/listing"
	"ftpd/pkg/login"
	"ftpd/pkg/monitor"
	"ftpd/pkg/roster"
	"ftpd/pkg/transfer"
	"ftpd/pkg/transport"
	"ftpd/pkg/zerocopy"
)

// Options holds the parts of a server; Config and Supervisor are required.
type Options struct {
	Config     *config.Config        // must not change after New
	Supervisor monitor.Supervisor    // must be safe for calls from many goroutines
	Threads    *impersonate.Threads  // nil: accounts that need impersonation are refused
	Roots      []string              // hold all homes and mounts (vfs.Options); nil: any directory
	Zone       *time.Location        // for LIST when files.utc_times is false; nil is UTC
	Ports      config.PortRange      // the system's ephemeral ports; zero is 32768-60999
	Public     map[string]netip.Addr // addresses of the host names in [nat], as far as found
	Network    transport.Network     // nil: TCP
	// Certificates are the certificates of TLS; nil: there is no TLS.
	Certificates *ftptls.Certificates
	UploadWaits  transfer.Waits // the zero Waits has the defaults
}

// A Server serves FTP on any number of listeners. Its methods may be called from several goroutines
// at the same time.
type Server struct {
	config     *config.Config
	supervisor monitor.Supervisor
	logins     *login.Logins
	zone       *time.Location
	ports      *dtp.Ports
	public     *dtp.PublicAddresses
	owners     *listing.Owners
	commands   ftpwire.Table[command]
	debug      bool // lines are logged
	security   *ftptls.Server
	waits      transfer.Waits
	hosts      map[string]*config.Host // virtual ones, by ftptls.HostKey
	buffers    transport.Buffers
	blocks     transport.Blocks
	pipes      zerocopy.Pipes
	hashes     checksum.Places
	rates      *limit.Rates
	sessions   roster.Roster[*Session]
	arriving   limit.Commands // commands of each client, for ban.commands_per_second
	undecided  chan struct{}  // holds a token for each connection that waits for its admission

	headers transport.ProxyHeaders // of control connections
}

// New returns a server.
func New(o Options) *Server {
	srv := &Server{
		config:     o.Config,
		supervisor: o.Supervisor,
		logins:     login.New(o.Config, o.Threads, o.Roots, o.Certificates != nil),
		zone:       time.UTC,
		ports:      dtp.NewPorts(o.Config, o.Network, o.Ports),
		public:     dtp.NewPublicAddresses(&o.Config.NAT, o.Public),
		owners:     newOwners(o.Supervisor),
		commands:   commands(),
		debug:      o.Config.Log.Level == config.LogDebug,
		security:   ftptls.NewServer(&o.Config.TLS, o.Certificates),
		hosts:      hostsOf(o.Config),
		waits:      o.UploadWaits.OrDefault(),
		undecided:  make(chan struct{}, maxUndecided),
	}
	srv.hashes = checksum.Places{
		Taken: make(chan struct{}, runtime.GOMAXPROCS(0)), Blocks: &srv.blocks,
	}
	srv.rates = limit.NewRates(o.Config.Limits)
	if srv.security == nil {
		withoutTLS(srv.commands)
	}
	if !o.Config.Files.UTCTimes && o.Zone != nil {
		srv.zone = o.Zone
	}
	return srv
}

func newOwners(s monitor.Supervisor) *listing.Owners {
	return listing.NewOwners(monitor.MaxNames, func(
		ctx context.Context, uids, gids []uint32,
	) (users, groups map[uint32]string, err error) {
		found, err := s.Names(ctx, uids, gids)
		return found.Users, found.Groups, err
	})
}

// ServeConn serves one session on c, until it ends. It takes c over.
func (srv *Server) ServeConn(c transport.Conn) { srv.begin(c, false)() }

// ServeTLSConn serves one session on c like ServeConn, with TLS from the first byte on
// (implicit TLS). It needs a certificate.
func (srv *Server) ServeTLSConn(c transport.Conn) { srv.begin(c, true)() }

// maxUndecided bounds the connections that are neither admitted nor refused yet. Further ones wait
// in the queue of the listener, so that connections that arrive faster than the supervisor answers
// take no descriptors that sessions need. It is more than the connections of which
// transport.ProxyHeaders awaits the header.
const maxUndecided = 512

// begin counts a session on c and returns the function that serves it. It waits while maxUndecided
// other connections are undecided.
func (srv *Server) begin(c transport.Conn, implicit bool) (serve func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	now := time.Now()
	s := &Session{srv: srv, conn: c, cancel: cancel, started: now}
	s.ctl = control.New(c, &srv.buffers)
	s.clock.Active, s.tls.implicit = now, implicit
	entered := srv.sessions.Enter(s)
	if entered {
		srv.undecided <- struct{}{}
	}
	return func() {
		defer cancel(nil)
		if !entered {
			s.refuse(errStopping)
			return
		}
		defer srv.sessions.Leave(s)
		if !s.admit(ctx) {
			return
		}
		defer srv.supervisor.End(s.id)
		s.emit(events.Event{Kind: events.Connect})
		s.reset()
		s.startLoginClock()
		s.serve(ctx)
	}
}

var errStopping = reply(421, "Closing the control connection: %s.", errShutdown)

// admit reports whether the supervisor admits the session. If not, the connection is closed.
func (s *Session) admit(ctx context.Context) bool {
	defer func() {
		s.srv.sessions.Decided()
		<-s.srv.undecided
	}()
	why := s.srv.readProxyHeader(s.conn)
	switch why {
	case io.EOF:
		s.conn.Close()
		return false
	case errShutdown:
		s.refuse(errStopping)
		return false
	}
	c := monitor.NewConnection(s.conn.Remote(), s.conn.Local(), why)
	admission, err := s.srv.supervisor.Admit(ctx, c)
	switch {
	case err != nil:
		s.refuse(reply(421, "Service not available, try again later."))
		return false
	case admission.Session == "":
		s.refuse(ftpwire.Lines(421, admission.Refusal))
		return false
	}
	s.id = admission.Session
	s.srv.sessions.Admit(s, s.id)
	return true
}

// refuse is refuseConn for a session that has not begun.
func (s *Session) refuse(r Reply) { refuseConn(s.conn, r, s.tls.implicit) }

// refuseConn sends r to a client that gets no session, and closes c. With implicit TLS it
// sends nothing: the client could not read the reply, and a handshake for it is not made.
func refuseConn(c transport.Conn, r Reply, implicit bool) {
	if !implicit {
		c.SetWriteDeadline(time.Now().Add(lastWord)) // a reply fits into any socket's buffer
		c.Write(r.Append(nil))
	}
	c.Finish()
}

// Shutdown ends the server: sessions without a transfer receive 421 at once, the others when
// their transfer has ended; an upload whose control connection has ended is cut. If ctx ends
// first, transfers are cut and Shutdown returns the error of ctx. The caller closes the
// listeners.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.sessions.Drain((*Session).stop)
	done := srv.sessions.Empty()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	srv.sessions.Drain(func(s *Session) { s.cut(errShutdown) })
	select {
	case <-done:
	case <-time.After(2 * lastWord): // a file system may hang
	}
	return ctx.Err()
}

// Admitted waits until each connection that was accepted has been admitted or refused. The caller
// has closed the listeners, and Serve has returned.
func (srv *Server) Admitted() { srv.sessions.WaitDecided() }

// Finish waits until the last session has ended, or until ctx ends. The caller has closed the
// listeners, so that no session begins.
func (srv *Server) Finish(ctx context.Context) {
	select {
	case <-srv.sessions.Empty():
	case <-ctx.Done():
	}
}

// lastWord bounds the time in which a client has to read its 421.
const lastWord = time.Second

// Serve accepts control connections until l is closed, and then returns the error, which is
// net.ErrClosed. It continues when the process has no free descriptor.
func (srv *Server) Serve(l net.Listener) error {
	return srv.accept(l, false)
}

// ServeTLS accepts control connections like Serve, with TLS from the first byte on (implicit
// TLS). It needs a certificate.
func (srv *Server) ServeTLS(l net.Listener) error { return srv.accept(l, true) }

var errNoDescriptor = reply(421, "Too many connections, try again later.")

func (srv *Server) accept(l net.Listener, implicit bool) error {
	return transport.Accept(l, func(c *transport.TCPConn) {
		c.SetControl()
		go srv.begin(c, implicit)() // ends with the session; it is counted before Serve returns
	}, func(c *transport.TCPConn) { refuseConn(c, errNoDescriptor, implicit) })
}

// readProxyHeader reads the PROXY header of a control connection from a load balancer. On other
// connections the same bytes are a command.
func (srv *Server) readProxyHeader(c transport.Conn) error {
	if !srv.config.Server.ProxyProtocolFrom.Contains(c.Remote().Addr()) {
		return nil
	}
	limit := time.Duration(srv.config.Limits.LoginTimeout)
	err := srv.headers.Read(c, limit, srv.sessions.IsDraining)
	if err == transport.ErrClosing {
		return errShutdown
	}
	return err
}

// NameFound sets the address that replies to PASV contain for a host name in [nat].
func (srv *Server) NameFound(f monitor.FoundName) { srv.public.Set(f.Name, f.Address) }
