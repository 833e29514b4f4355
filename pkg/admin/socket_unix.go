//go:build unix

package admin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// A socket is the listener at a path, which it removes when it is closed.
type socket struct {
	*net.UnixListener
	path string
	info os.FileInfo
}

// Listen makes the socket, and the directory that it stands in, for root, or whoever the process is, and for the group gid (negative:
// none). A socket that nobody answers at is replaced. Nobody can connect before its owner and mode are what they should be.
func Listen(path string, gid int) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
		return nil, fmt.Errorf("%s is there already, and no socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, patience); err == nil {
		conn.Close()
		return nil, fmt.Errorf("%s: another ftpd answers there", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".") // for its owner alone
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	s := &socket{UnixListener: l, path: path}
	if s.info, err = s.install(made, gid); err != nil {
		l.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) install(made string, gid int) (os.FileInfo, error) {
	mode := os.FileMode(0o600)
	if gid >= 0 {
		mode = 0o660
		if err := os.Chown(made, -1, gid); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(os.Chmod(made, mode), os.Rename(made, s.path)); err != nil {
		return nil, err
	}
	return os.Lstat(s.path)
}

// Close removes the socket, unless another one has its name by now.
func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.info) {
		os.Remove(s.path)
	}
	return s.UnixListener.Close()
}
