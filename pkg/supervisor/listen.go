package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"ftpd/pkg/config"
)

// listenAll binds the addresses of the service: first those for plain FTP, then those where TLS
// begins at once.
func listenAll(ctx context.Context, c *config.Config) ([]net.Listener, error) {
	return listen(ctx, slices.Concat(c.Server.Listen, c.Server.ListenTLS))
}

// listen binds every address, or none.
func listen(ctx context.Context, addresses []config.Address) ([]net.Listener, error) {
	var open []net.Listener
	for _, a := range addresses {
		l, err := listenOne(ctx, a)
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open = append(open, l)
	}
	return open, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// listenOne binds one address. "[::]" includes IPv4, and means 0.0.0.0 where the host has no IPv6.
func listenOne(ctx context.Context, a config.Address) (net.Listener, error) {
	network := "tcp"
	if a.Addr().Is4() {
		network = "tcp4" // with "tcp", package net takes 0.0.0.0 for [::]
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // as data connections, which come from the core
	l, err := lc.Listen(ctx, network, a.String())
	if errors.Is(err, syscall.EAFNOSUPPORT) && a.Addr().IsUnspecified() && a.Addr().Is6() {
		l, err = lc.Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", a.Port()))
	}
	if err != nil {
		return nil, &listenError{refusal(a, err), err}
	}
	return l, nil
}

// A listenError explains why an address cannot be bound. It wraps the system's error.
type listenError struct {
	text  string
	cause error
}

func (e *listenError) Error() string { return e.text }
func (e *listenError) Unwrap() error { return e.cause }

// refusal returns the text of a listenError.
func refusal(a config.Address, err error) string {
	switch {
	case errors.Is(err, syscall.EACCES) && a.Port() < 1024:
		return fmt.Sprintf("cannot listen on %s: ports below 1024 need root; "+
			"use a port above 1024, such as %d, or run ftpd as a service", a, a.Port()+2100)
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("cannot listen on %s: another program does "+
			"(ss -ltnp 'sport = :%d' shows which)", a, a.Port())
	}
	return fmt.Sprintf("cannot listen on %s: %v", a, err)
}

// TryListen binds the addresses as a start does, all at one time, and closes them again. It returns
// one error for each address, nil where a start could bind it. An error wraps the system's error.
func TryListen(ctx context.Context, addresses []config.Address) []error {
	errs := make([]error, len(addresses))
	for i, a := range addresses {
		l, err := listenOne(ctx, a)
		if err == nil {
			defer l.Close()
		}
		errs[i] = err
	}
	return errs
}
