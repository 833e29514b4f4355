package unixauth

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/unixauth/internal/wire"
)

const (
	helloTimeout = 10 * time.Second // from exec to the helper's Hello
	endGrace     = 5 * time.Second  // from closing the socket to SIGKILL, and then for the exit
)

// A helper is a running ftpd-auth.
type helper struct {
	conn    *wire.Conn
	started time.Time
	process *os.Process
	exited  chan struct{} // closed after the process has exited and was waited for
	status  string        // exit status or signal; set before exited is closed
}

// startHelper runs ftpd-auth and waits for its Hello. The environment holds PATH alone,
// because modules run programs, and for names wire.Unprivileged. The only descriptors are the socket and standard error. The
// helper has its own session, so that Ctrl-C at a terminal does not end it.
func startHelper(path string, args ...string) (*helper, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer theirs.Close()
	conn, err := wire.Open(ours)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	if len(args) > 1 { // it changes to another user, and is for names
		cmd.Env = append(cmd.Env, wire.Unprivileged+"=1")
	}
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs} // wire.Descriptor
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	h := &helper{conn: conn, started: time.Now(), process: cmd.Process, exited: make(chan struct{})}
	go func() { // ends with the process
		cmd.Wait()
		h.status = cmd.ProcessState.String()
		close(h.exited)
	}()
	theirs.Close() // the helper has the only copy now, so its exit ends Receive
	if err := h.receiveHello(); err != nil {
		status := h.end()
		if _, reported := errors.AsType[helperFailure](err); !reported {
			err = fmt.Errorf("%w (%s)", err, status)
		}
		return nil, err
	}
	return h, nil
}

// receiveHello waits for the helper's Hello and checks its version.
func (h *helper) receiveHello() error {
	if err := h.conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	var hello wire.Hello
	if err := h.conn.Receive(&hello); err != nil {
		return fmt.Errorf("no greeting: %w", err)
	}
	switch {
	case hello.Failed != "":
		return helperFailure(hello.Failed)
	case hello.Version != wire.Version:
		return fmt.Errorf("it speaks version %d, not %d; install ftpd and ftpd-auth of one release",
			hello.Version, wire.Version)
	}
	return h.conn.SetDeadline(time.Time{})
}

// hasExited reports whether the process has exited.
func (h *helper) hasExited() bool {
	select {
	case <-h.exited:
		return true
	default:
		return false
	}
}

// end closes the socket, upon which a helper exits, and waits for the exit. It kills the helper
// after endGrace, and waits another endGrace: a helper that a dead file system blocks (modules
// of PAM look into homes) may not exit at all. It returns the exit status or signal, and may be
// called twice.
func (h *helper) end() string {
	h.conn.Close()
	timer := time.AfterFunc(endGrace, h.kill)
	defer timer.Stop()
	select {
	case <-h.exited:
		return h.status
	case <-time.After(2 * endGrace):
		return "a file system that does not answer keeps it from ending"
	}
}

func (h *helper) kill() { h.process.Kill() }
