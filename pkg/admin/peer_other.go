//go:build !linux

package admin

import "net"

type peer struct {
	uid    uint32
	groups []uint32
}

// peerOf returns root, because the mode of the socket alone decides on this system.
func peerOf(net.Conn) (peer, error) { return peer{}, nil }
