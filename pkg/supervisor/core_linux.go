package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ftpd/pkg/core"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/monitor"
)

// coreSocket is the descriptor of the monitor in the process of a core: the first of
// exec.Cmd.ExtraFiles.
const coreSocket = 3

// A coreProcess serves FTP in the process of a core.
type coreProcess struct {
	server    *core.Server
	client    *monitor.Client
	listeners []net.Listener
	accepting sync.WaitGroup // the goroutines that accept clients
	ended     chan error     // receives when the process is to end
}

// RunCore runs the process of a core, which the supervisor starts as the user ftpd, confined, with
// the capabilities to act as other users and no others. It returns when the core has drained, when
// its last session has ended after Retire, or when the supervisor has ended.
func RunCore() error {
	// A terminal sends SIGINT to the supervisor as well, and a service manager SIGTERM. The
	// supervisor decides what its cores do then.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := keepPermittedOnly(); err != nil {
		return err
	}
	clearUmask()
	client, setup, listeners, err := monitor.Connect(coreSocket)
	if err != nil {
		return err
	}
	zone, err := setup.Location()
	if err != nil {
		return err
	}
	certificates, err := ftptls.NewCertificates(client, setup.Certificates, setup.ClientCAs)
	if err != nil {
		return err
	}
	c := &coreProcess{client: client, listeners: listeners, ended: make(chan error, 1)}
	c.server = core.New(core.Options{
		Config:       setup.Config,
		Supervisor:   client,
		Roots:        setup.Roots,
		Threads:      impersonate.NewThreads(sections(setup.Config.Limits.MaxSessions)),
		Zone:         zone,
		Ports:        setup.Ports,
		Public:       setup.Public,
		Certificates: certificates,
	})
	if setup.Filter != nil {
		if err := setup.Filter.Enter(); err != nil {
			return err
		}
	}
	// A client may wait at a listener already, and would make the core send requests. The
	// supervisor expects ready before these.
	if err := client.Ready(); err != nil {
		return err
	}
	c.serve(setup.Implicit)
	go func() { c.end(c.obey(certificates)) }() // ends with the process
	if err := <-c.ended; !errors.Is(err, monitor.ErrHungUp) {
		return err
	}
	return nil
}

// serve accepts clients at the listeners. The last implicit ones begin with TLS.
func (c *coreProcess) serve(implicit int) {
	for i, l := range c.listeners {
		serve := c.server.Serve
		if i >= len(c.listeners)-implicit {
			serve = c.server.ServeTLS
		}
		c.accepting.Go(func() { // ends with the process, or with the listener
			if err := serve(l); !listenerClosed(err) {
				c.end(err) // the supervisor starts another core
			}
		})
	}
}

// listenerClosed reports whether err is that of a listener that the core has closed, or the
// supervisor has shut down (EINVAL).
func listenerClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EINVAL)
}

// obey carries out the orders of the supervisor until it hangs up.
func (c *coreProcess) obey(certificates *ftptls.Certificates) error {
	return c.client.Run(monitor.Orders{
		Drain:    c.drain,
		Retire:   c.retire,
		Found:    c.server.NameFound,
		Exchange: certificates.Exchange,
		Sessions: c.server.Sessions,
		Kick:     c.server.Kick,
		Displace: c.server.Displace,
	})
}

// end makes RunCore return err. Only the first call has an effect.
func (c *coreProcess) end(err error) {
	select {
	case c.ended <- err:
	default:
	}
}

// drain dismisses the sessions without a transfer, and ends the core when the running transfers
// have ended, or after the timeout.
func (c *coreProcess) drain(timeout time.Duration) {
	closeAll(c.listeners)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c.server.Shutdown(ctx)
	c.end(nil)
}

// retire ends the core with its last session. The supervisor limits the time of sessions without a
// transfer, by an order to drain.
func (c *coreProcess) retire() {
	closeAll(c.listeners)
	c.accepting.Wait()
	c.server.Admitted()
	_ = c.client.Closed() // an error means that the supervisor has ended
	c.server.Finish(context.Background())
	c.end(nil)
}

// maxSections is less than the 10,000 threads at which Go ends the process.
const maxSections = 8999

// sections returns how many threads may act as a user at one time. A session needs one, and rarely
// two; the rest is reserve.
func sections(maxSessions int) int {
	if maxSessions <= 0 {
		return maxSections
	}
	return min(4*maxSessions, maxSections)
}

// keepPermittedOnly clears the inheritable set, and with it the ambient set, on every thread. The
// program was given its capabilities by these sets, and would pass them on by an exec.
func keepPermittedOnly() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("clear inheritable capabilities: %w", errno)
	}
	return nil
}
