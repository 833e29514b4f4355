package supervisor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// boundSocket returns a TCP socket that is bound to an address and port of this host. Any number
// of sockets share that address, as long as none listens on it and each connects to another peer.
func boundSocket(at netip.AddrPort) (*os.File, error) {
	family := unix.AF_INET6
	var name unix.Sockaddr
	switch addr := at.Addr(); {
	case addr.Is4():
		family, name = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: addr.As4()}
	case addr.Is6():
		six := &unix.SockaddrInet6{Port: int(at.Port()), Addr: addr.As16()}
		if zone := addr.Zone(); zone != "" {
			link, err := net.InterfaceByName(zone)
			if err != nil {
				return nil, fmt.Errorf("bind a socket to %s: %w", at, err)
			}
			six.ZoneId = uint32(link.Index)
		}
		name = six
	default:
		return nil, errors.New("bind a socket: no address")
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, name)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind a socket to %s: %w", at, err)
	}
	return os.NewFile(uintptr(fd), "active"), nil
}

// probeActivePort returns an error, before the service starts, for a data.active_port that the
// service can never bind. It only warns of a port that another program listens on, because that
// port may become free later.
func probeActivePort(o Options) error {
	port := o.Config.Data.ActivePort
	if port == 0 {
		return nil
	}
	file, err := boundSocket(netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port)))
	switch {
	case err == nil:
		return file.Close()
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("data.active_port = %d: ports below 1024 need root; "+
			"set it to 0, or run ftpd as a service", port)
	case errors.Is(err, unix.EADDRINUSE):
		o.Log.Warn().Int("port", port).Msg("another program listens on data.active_port: " +
			"active transfers are refused until it does not")
	}
	return nil
}
