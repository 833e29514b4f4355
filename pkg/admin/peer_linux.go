package admin

import (
	"errors"
	"net"
	"slices"
	"syscall"
	"unsafe"
)

// A peer is the process at the other end of a connection: the one that has connected, or the one
// that listens.
type peer struct {
	uid    uint32
	groups []uint32 // all groups of the process
}

// maxGroups is the largest number of supplementary groups of a process.
const maxGroups = 65536

// peerOf returns the peer of a connection, as the kernel has recorded it.
func peerOf(conn net.Conn) (p peer, err error) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return p, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		var cred *syscall.Ucred
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err != nil {
			return
		}
		p.uid = cred.Uid
		p.groups, err = peerGroups(fd)
		p.groups = append(p.groups, cred.Gid)
	})
	return p, errors.Join(err, controlErr)
}

// peerGroups returns the supplementary groups of the peer.
func peerGroups(fd uintptr) ([]uint32, error) {
	const soPeerGroups = 59 // SO_PEERGROUPS
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups)) * 4
		_, _, errno := syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.SOL_SOCKET,
			soPeerGroups, uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == syscall.ERANGE && len(groups) < maxGroups:
			groups = make([]uint32, maxGroups)
		case errno != 0:
			return nil, errno
		default:
			return slices.Clip(groups[:size/4]), nil
		}
	}
}
