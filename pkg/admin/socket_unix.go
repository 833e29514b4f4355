//go:build unix

package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"ftpd/pkg/trust"
)

// A socket is a listener at a path. Close removes the path.
type socket struct {
	*net.UnixListener
	path string
	info os.FileInfo
}

// Listen creates the socket, and its directory if that is missing. The socket is open to the
// user of the process (root in a service) and to the group gid; a negative gid means no group.
// A socket that accepts no connection is replaced. No connection is possible before the owner
// and the mode of the socket are set.
func Listen(path string, gid int) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
		return nil, fmt.Errorf("%s exists and is not a socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, timeout); err == nil {
		conn.Close()
		return nil, fmt.Errorf("%s: another ftpd answers there", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if _, err := trust.Path(filepath.Dir(path)); err != nil {
		return nil, err // another user could exchange what gets the group
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".") // no other user has access
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	temporary := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	s := &socket{UnixListener: l, path: path}
	if s.info, err = s.install(temporary, gid); err != nil {
		l.Close()
		return nil, err
	}
	return s, nil
}

// install sets the group and the mode of the socket and renames it to its path.
func (s *socket) install(temporary string, gid int) (os.FileInfo, error) {
	mode := os.FileMode(0o600)
	if gid >= 0 {
		mode = 0o660
		if err := os.Chown(temporary, -1, gid); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(os.Chmod(temporary, mode), os.Rename(temporary, s.path)); err != nil {
		return nil, err
	}
	return os.Lstat(s.path)
}

// Close closes the listener. It removes the path unless that leads to another socket by now.
func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.info) {
		os.Remove(s.path)
	}
	return s.UnixListener.Close()
}
