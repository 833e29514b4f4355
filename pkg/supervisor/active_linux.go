package supervisor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"ftpd/pkg/monitor"
)

// connecting returns a TCP socket that has begun to connect to a peer. It is bound to an address and
// port of this host. If from is invalid, the system chooses the address, and the port if port is 0.
func connecting(from netip.Addr, port uint16, to netip.AddrPort) (*os.File, error) {
	if !from.IsValid() {
		from = netip.IPv6Unspecified()
		if to.Addr().Is4() {
			from = netip.IPv4Unspecified()
		}
	}
	fd, err := boundSocket(netip.AddrPortFrom(from, port))
	if err != nil {
		return nil, err
	}
	_, peer, err := sockaddr(to)
	if err == nil {
		err = os.NewSyscallError("connect", unix.Connect(fd, peer))
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "active"), nil
}

// boundSocket returns a TCP socket that does not block and is bound to an address and port of this
// host. Any number of sockets share that address, as long as none listens on it and each connects
// to another peer. For port 0 the system chooses the port when the socket connects.
func boundSocket(at netip.AddrPort) (fd int, err error) {
	family, name, err := sockaddr(at)
	if err != nil {
		return -1, fmt.Errorf("bind a socket to %s: %w", at, err)
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if at.Port() == 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	} else {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, name)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind a socket to %s: %w", at, err)
	}
	return fd, nil
}

// sockaddr returns an address and port in the form of the kernel.
func sockaddr(at netip.AddrPort) (family int, name unix.Sockaddr, err error) {
	addr := at.Addr()
	if addr.Is4() {
		name := &unix.SockaddrInet4{Port: int(at.Port()), Addr: addr.As4()}
		return unix.AF_INET, name, nil
	}
	six := &unix.SockaddrInet6{Port: int(at.Port()), Addr: addr.As16()}
	if zone := addr.Zone(); zone != "" {
		link, err := monitor.Link(zone)
		if err != nil {
			return 0, nil, err
		}
		six.ZoneId = uint32(link.Index)
	}
	return unix.AF_INET6, six, nil
}

// probeActivePort returns an error, before the service starts, for a data.active_port that the
// service can never bind. It only warns of a port that another program listens on, because that
// port may become free later.
func probeActivePort(o Options) error {
	port := o.Config.Data.ActivePort
	if port == 0 {
		return nil
	}
	fd, err := boundSocket(netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port)))
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("data.active_port = %d: ports below 1024 need root; "+
			"set it to 0, or run ftpd as a service", port)
	case errors.Is(err, unix.EADDRINUSE):
		o.Log.Warn().Int("port", port).Msg("another program listens on data.active_port: " +
			"active transfers are refused until it does not")
	}
	return nil
}
