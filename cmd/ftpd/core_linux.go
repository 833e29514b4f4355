package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ftpd/pkg/core"
	"ftpd/pkg/impersonate"
	"ftpd/pkg/monitor"
)

// monitorSocket is the descriptor that the supervisor gives its core.
const monitorSocket = 3

// runCore is the process that talks to the network. The supervisor starts it as the user ftpd, confined, with no more capabilities
// than it takes to act as other users. It ends with its supervisor.
func runCore(args []string, stdout, stderr io.Writer) int {
	flags := newFlags("core", "", "ftpd serve, which starts it")
	if code, done := parse(flags, args, 0, stdout, stderr); done {
		return code
	}
	if err := serveCore(); err != nil && !errors.Is(err, monitor.ErrHungUp) {
		fmt.Fprintln(stderr, "ftpd core:", err)
		return exitError
	}
	return exitOK
}

func serveCore() error {
	// A terminal's Ctrl-C and a service manager's TERM are for the supervisor, which says what to do.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if err := keepPermittedOnly(); err != nil {
		return err
	}
	clearUmask()
	client, setup, listeners, err := monitor.Connect(monitorSocket)
	if err != nil {
		return err
	}
	zone, err := setup.Location()
	if err != nil {
		return err
	}
	certificates, err := core.NewCertificates(client, setup.Certificates, setup.ClientCAs)
	if err != nil {
		return err
	}
	server := core.New(core.Options{
		Config:       setup.Config,
		Supervisor:   client,
		Threads:      impersonate.NewThreads(sections(setup.Config.Limits.MaxSessions)),
		Zone:         zone,
		Ports:        setup.Ports,
		Public:       setup.Public,
		Certificates: certificates,
	})
	if err := client.Ready(); err != nil { // before any client, who may wait at the listener already, makes the core ask for something
		return err
	}
	for i, l := range listeners {
		serve := server.Serve
		if i >= len(listeners)-setup.Implicit {
			serve = server.ServeTLS
		}
		go serveListener(serve, l) // ends with the process, or when drained
	}
	return client.Run(monitor.Orders{
		Drain:    func(timeout time.Duration) { drain(server, listeners, timeout) },
		Retire:   func() { retire(server, listeners) },
		Found:    server.NameFound,
		Exchange: certificates.Exchange,
		Sessions: server.Sessions,
		Kick:     server.Kick,
	})
}

// drain ends the process when running transfers have ended, or after the timeout. Sessions without one are dismissed.
func drain(server *core.Server, listeners []net.Listener, timeout time.Duration) {
	closeAll(listeners)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	server.Shutdown(ctx)
	os.Exit(exitOK)
}

// retirement is how long a core that was replaced keeps sessions that only wait.
const retirement = 10 * time.Minute

// retire ends the process with its last session; those that have no transfer are dismissed after a while.
func retire(server *core.Server, listeners []net.Listener) {
	closeAll(listeners)
	ctx, cancel := context.WithTimeout(context.Background(), retirement)
	defer cancel()
	server.Finish(ctx)
	server.Shutdown(context.Background())
	os.Exit(exitOK)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

func serveListener(serve func(net.Listener) error, l net.Listener) {
	if err := serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
		fmt.Fprintln(os.Stderr, "ftpd core:", err) // the supervisor starts another one
		os.Exit(exitError)
	}
}

// maxSections is below the 10,000 threads at which Go ends the process.
const maxSections = 8999

// sections is how many threads may act as a user at one time: sessions hold one each, rarely two; the rest is room.
func sections(maxSessions int) int {
	if maxSessions <= 0 {
		return maxSections
	}
	return min(4*maxSessions, maxSections)
}

// keepPermittedOnly clears the inheritable set, and the ambient set with it, on every thread: with them the program was given its
// capabilities, and with them it would pass them on.
func keepPermittedOnly() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("clear inheritable capabilities: %w", errno)
	}
	return nil
}
