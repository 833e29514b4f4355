// Package core speaks FTP: RFC 959 and its successors, and nothing else. It knows no file outside the users' trees, no configuration
// file and no password; what it needs from outside it asks of its Supervisor.
package core

import (
	"context"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"ftpd/pkg/config"
	"ftpd/pkg/dtp"
	"ftpd/pkg/events"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/ftpwire"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/limit"
	"ftpd/pkg/listing"
	"ftpd/pkg/monitor"
	"ftpd/pkg/transport"
	"ftpd/pkg/zerocopy"
)

// Options are what a server needs; Config and Supervisor are required.
type Options struct {
	Config     *config.Config        // must not change any more
	Supervisor monitor.Supervisor    // must be good for calls from many goroutines
	Threads    *impersonate.Threads  // nil: nobody is impersonated, and an account that wants it is refused
	Zone       *time.Location        // for LIST when files.utc_times is false; nil is UTC
	Ports      config.PortRange      // the system's ephemeral ports; zero is 32768-60999
	Public     map[string]netip.Addr // addresses of the host names in [nat]; a name that is missing was not found yet
	Network    transport.Network     // nil: TCP
	// Certificates are what TLS shows; nil: there is no TLS.
	Certificates *ftptls.Certificates
}

// A Server serves FTP on any number of listeners.
type Server struct {
	config     *config.Config
	supervisor monitor.Supervisor
	threads    *impersonate.Threads
	zone       *time.Location
	ports      *dtp.Ports
	public     *dtp.PublicAddresses
	owners     *listing.Owners
	commands   map[string]*command
	debug      bool // lines are logged
	security   *ftptls.Server
	hosts      map[string]*config.Host // virtual ones, by ftptls.HostKey
	tlsOnly    bool                    // nobody may log in without TLS
	buffers    transport.Buffers
	blocks     transport.Blocks
	pipes      zerocopy.Pipes
	hashes     *hashes
	rates      *limit.Rates
	arriving   limit.Commands // those of each client, for ban.commands_per_second

	proxied atomic.Int32 // control connections whose PROXY header is awaited

	draining atomic.Bool // no session begins or stays without a transfer

	mu       sync.Mutex
	sessions map[*Session]struct{}  // guarded by mu
	peak     int                    // guarded by mu; most sessions since memory was given back
	moving   map[*transfer]struct{} // guarded by mu; transfers of files
	running  sync.WaitGroup         // of sessions; added to under mu, before draining
}

// New makes a server.
func New(o Options) *Server {
	srv := &Server{
		config:     o.Config,
		supervisor: o.Supervisor,
		threads:    o.Threads,
		zone:       time.UTC,
		ports:      dtp.NewPorts(o.Config, o.Network, o.Ports),
		public:     dtp.NewPublicAddresses(&o.Config.NAT, o.Public),
		owners:     newOwners(o.Supervisor),
		commands:   commands(),
		debug:      o.Config.Log.Level == config.LogDebug,
		sessions:   make(map[*Session]struct{}),
		moving:     make(map[*transfer]struct{}),
		security:   ftptls.NewServer(&o.Config.TLS, o.Certificates),
		hosts:      hostsOf(o.Config),
	}
	srv.hashes = newHashes(&srv.blocks)
	srv.rates = limit.NewRates(o.Config.Limits)
	srv.tlsOnly = srv.onlyTLS()
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
func (srv *Server) ServeConn(c transport.Conn) { srv.serveConn(c, false) }

// ServeTLSConn does so with TLS from the first byte on (implicit TLS). There must be a certificate.
func (srv *Server) ServeTLSConn(c transport.Conn) { srv.serveConn(c, true) }

func (srv *Server) serveConn(c transport.Conn, implicit bool) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	now := time.Now()
	s := &Session{srv: srv, conn: c, cancel: cancel, started: now}
	s.clock.active, s.tls.implicit = now, implicit
	if !srv.enter(s) {
		refuseConn(c, reply(421, "Closing the control connection: %s.", errShutdown), implicit)
		return
	}
	defer srv.leave(s)
	why := srv.readProxyHeader(c)
	switch why {
	case io.EOF:
		c.Close()
		return
	case errShutdown:
		refuseConn(c, reply(421, "Closing the control connection: %s.", errShutdown), implicit)
		return
	}
	admission, err := srv.supervisor.Admit(ctx, monitor.NewConnection(c.Remote(), c.Local(), why))
	switch {
	case err != nil:
		refuseConn(c, reply(421, "Service not available, try again later."), implicit)
		return
	case admission.Session == "":
		refuseConn(c, ftpwire.Lines(421, admission.Refusal), implicit)
		return
	}
	defer srv.supervisor.End(admission.Session)
	s.id = admission.Session
	s.emit(events.Event{Kind: events.Connect})
	s.reset()
	s.startLoginClock()
	s.serve(ctx)
}

// refuseConn answers a client that gets no session. One that expects TLS could not read the answer, and gets no handshake for it.
func refuseConn(c transport.Conn, r Reply, implicit bool) {
	if !implicit {
		c.SetWriteDeadline(time.Now().Add(lastWord)) // so little fits into any socket's buffer
		c.Write(r.Append(nil))
	}
	c.Finish()
}

func (srv *Server) enter(s *Session) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.draining.Load() {
		return false
	}
	srv.sessions[s] = struct{}{}
	srv.peak = max(srv.peak, len(srv.sessions))
	srv.running.Add(1)
	return true
}

func (srv *Server) leave(s *Session) {
	srv.mu.Lock()
	delete(srv.sessions, s)
	over := srv.peak >= crowd && len(srv.sessions) <= srv.peak/4
	if over {
		srv.peak = len(srv.sessions)
	}
	srv.mu.Unlock()
	srv.running.Done()
	if over {
		debug.FreeOSMemory() // the runtime itself would keep what the crowd took for minutes
	}
}

// crowd is how many sessions leave memory behind that is worth giving back when most of them are gone.
const crowd = 16

// Shutdown ends the server: sessions without a transfer read 421 at once, the others when their transfer has ended; an
// upload whose control connection has ended is cut. When ctx ends first, transfers are cut and the error is ctx's. The listeners are the
// caller's to close.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.mu.Lock()
	srv.draining.Store(true)
	for s := range srv.sessions {
		s.stop()
	}
	srv.mu.Unlock()

	done := make(chan struct{})
	go func() { // ends when all sessions have; the cut below ends them
		srv.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	srv.mu.Lock()
	for s := range srv.sessions {
		s.cut(errShutdown)
	}
	srv.mu.Unlock()
	select {
	case <-done:
	case <-time.After(2 * lastWord): // a file system may hang
	}
	return ctx.Err()
}

// Finish waits until the last session has ended, or ctx has. The caller has closed the listeners, so that no session begins.
func (srv *Server) Finish(ctx context.Context) {
	done := make(chan struct{})
	go func() { // ends when all sessions have, or with the process
		srv.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// lastWord is how long a client may take to read its 421.
const lastWord = time.Second

// Serve accepts control connections until l is closed, and then returns the error, which is net.ErrClosed. It goes on when the
// process has no descriptor left.
func (srv *Server) Serve(l net.Listener) error {
	return srv.accept(l, false)
}

// ServeTLS does so with TLS from the first byte on (implicit TLS). There must be a certificate.
func (srv *Server) ServeTLS(l net.Listener) error { return srv.accept(l, true) }

func (srv *Server) accept(l net.Listener, implicit bool) error {
	a := acceptor{srv: srv, listener: l, implicit: implicit}
	a.keepSpare()
	defer a.dropSpare()
	return a.run()
}

// NameFound sets the address that PASV's replies name for a host name in [nat].
func (srv *Server) NameFound(f monitor.FoundName) { srv.public.Set(f.Name, f.Address) }
