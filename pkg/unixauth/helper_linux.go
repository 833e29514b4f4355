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
	helloTimeout = 10 * time.Second // from exec to the first word
	endGrace     = 5 * time.Second  // from the closed socket to SIGKILL, and from there to giving up
)

// A helper is a running ftpd-auth.
type helper struct {
	conn    *wire.Conn
	started time.Time
	process *os.Process
	gone    chan struct{} // closed when the process was waited for
	how     string        // how it ended; set before gone is closed
}

// startHelper runs ftpd-auth and waits for its first word. It gets no argument but its duty, an almost empty environment (modules run
// programs) and no descriptor but its socket and standard error; a session of its own keeps Ctrl-C at a terminal from it.
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
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs} // wire.Descriptor
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	h := &helper{conn: conn, started: time.Now(), process: cmd.Process, gone: make(chan struct{})}
	go func() { // ends with the process
		cmd.Wait()
		h.how = cmd.ProcessState.String()
		close(h.gone)
	}()
	theirs.Close() // so that the helper's death is seen
	if err := h.greet(); err != nil {
		how := h.end()
		if _, cause := errors.AsType[failure](err); !cause {
			err = fmt.Errorf("%w (%s)", err, how)
		}
		return nil, err
	}
	return h, nil
}

// greet waits for the helper's first word.
func (h *helper) greet() error {
	if err := h.conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	var hello wire.Hello
	if err := h.conn.Receive(&hello); err != nil {
		return fmt.Errorf("no greeting: %w", err)
	}
	switch {
	case hello.Failed != "":
		return failure(hello.Failed)
	case hello.Version != wire.Version:
		return fmt.Errorf("it speaks version %d, not %d; install ftpd and ftpd-auth of one release", hello.Version, wire.Version)
	}
	return h.conn.SetDeadline(time.Time{})
}

// ended tells whether the process is gone.
func (h *helper) ended() bool {
	select {
	case <-h.gone:
		return true
	default:
		return false
	}
}

// end closes the socket, on which a helper ends by itself, waits for that, and says how it ended. It may be called twice. A helper that
// a dead file system holds up (modules of PAM look into homes) may not end at all.
func (h *helper) end() string {
	h.conn.Close()
	patience := time.AfterFunc(endGrace, h.kill)
	defer patience.Stop()
	select {
	case <-h.gone:
		return h.how
	case <-time.After(2 * endGrace):
		return "a file system that does not answer keeps it from ending"
	}
}

func (h *helper) kill() { h.process.Kill() }
