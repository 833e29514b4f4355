package admin

import (
	"fmt"
	"net"
	"os"
	"slices"
)

// Group is the system group with access to the socket. Root has access as well.
const Group = "ftpd-admin"

// checkServer returns an error unless the service at the other end runs as root or as the user of
// this process. Another user could have made the socket, and would choose what is shown.
func checkServer(conn net.Conn, socket string) error {
	p, err := peerOf(conn)
	if err == nil && p.uid != 0 && p.uid != uint32(os.Geteuid()) {
		err = fmt.Errorf("the program that listens there runs as uid %d, not as root: "+
			"only this user may believe it", p.uid)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", socket, err)
	}
	return nil
}

// checkClient returns an error unless the program at the other end runs as root, as the user of
// this process, or as a member of the group gid. A negative gid means no group. The mode of the
// socket has the same effect, as long as only the service sets it.
func checkClient(conn net.Conn, gid int) error {
	p, err := peerOf(conn)
	switch {
	case err != nil:
		return err
	case p.uid == 0, p.uid == uint32(os.Geteuid()):
		return nil
	case gid >= 0 && slices.Contains(p.groups, uint32(gid)):
		return nil
	}
	return fmt.Errorf("the socket is for root and members of the group %s", Group)
}
