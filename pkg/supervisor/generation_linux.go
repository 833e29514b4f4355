package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/monitor"
	"ftpd/pkg/sandbox"
)

// coreCapabilities are all capabilities that a core holds. It needs them to take the identity of a
// user around calls on files.
var coreCapabilities = []uintptr{unix.CAP_SETGID, unix.CAP_SETUID}

// startTimeout bounds the time from the start of a core until it is ready.
const startTimeout = 30 * time.Second

// A generation is one core process with one configuration.
type generation struct {
	cmd     *exec.Cmd
	server  *monitor.Server
	pid     int
	started time.Time
	output  *tail         // the end of the core's standard output and error: the trace of a crash
	ready   chan struct{} // closed when the core accepts connections
	ended   chan struct{} // closed when the process has ended

	crowded chan struct{} // closed when the core was replaced and too many later ones were, too
	crowd   func()        // closes crowded; may be called again

	// The following may be read when ended is closed.
	failed bool // the core ended otherwise than it should
	cause  string
	lost   int // sessions that ended with the core

	mu     sync.Mutex
	waited bool  // guarded by mu; pid may be the number of another process once this is true
	reason error // guarded by mu; why the supervisor has killed the core
}

// start starts a core and sends it the configuration and the listeners.
func (k *keeper) start(ctx context.Context) (*generation, sandbox.Layers, error) {
	roots, err := k.roots.Open(ctx)
	if err != nil {
		return nil, sandbox.Layers{}, err
	}
	defer sandbox.Close(roots)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, sandbox.Layers{}, err
	}
	ours := os.NewFile(uintptr(pair[0]), "monitor")
	theirs := os.NewFile(uintptr(pair[1]), "monitor of the core")
	defer ours.Close() // the connection works on a duplicate
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, sandbox.Layers{}, err
	}
	g := &generation{
		server:  monitor.NewServer(conn.(*net.UnixConn), k.handler, k.Config.Auth.MaxAttempts),
		started: time.Now(),
		output:  new(tail),
		ready:   make(chan struct{}),
		ended:   make(chan struct{}),
		crowded: make(chan struct{}),
	}
	g.crowd = sync.OnceFunc(func() { close(g.crowded) })
	layers, err := g.exec(k, theirs, roots)
	if err != nil {
		conn.Close()
		return nil, layers, fmt.Errorf("start the core: %w", err)
	}
	setup := monitor.Setup{
		Config:       k.Config.WithoutSecrets(),
		Roots:        k.roots.Places(),
		Zone:         localZone(),
		Ports:        ephemeralPorts(),
		Public:       k.public.addresses(),
		Certificates: k.handler.keys.Certificates(),
		ClientCAs:    k.handler.keys.ClientCAs,
		Filter:       k.filter(layers),
		Implicit:     len(k.Config.Server.ListenTLS),
	}
	if err := g.server.Configure(setup, k.descriptors); err != nil {
		conn.Close() // watch, which is called below, then ends the process
		k.Log.Error().Err(err).Msg("the core cannot be configured")
	}
	k.addRunning(g)
	go func() { // ends with the process
		defer k.removeRunning(g)
		g.watch(func() { k.Log.Info().Int("pid", g.pid).Msg("core ready") })
	}()
	return g, layers, nil
}

// exec starts the process, confined to the roots. socket is its end of the monitor's connection.
func (g *generation) exec(
	k *keeper, socket *os.File, roots []sandbox.Root,
) (sandbox.Layers, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return sandbox.Layers{}, err
	}
	defer null.Close()
	g.cmd = exec.Command(k.program, "core")
	g.cmd.Dir = "/"
	// A core cannot read the files of its cgroup, which limit the number of processors.
	g.cmd.Env = []string{fmt.Sprint("GOMAXPROCS=", runtime.GOMAXPROCS(0))}
	g.cmd.Stdin, g.cmd.Stdout, g.cmd.Stderr = null, g.output, g.output
	g.cmd.ExtraFiles = []*os.File{socket} // coreSocket
	g.cmd.WaitDelay = waitDelay
	g.cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  k.identity,
		AmbientCaps: coreCapabilities,
		Setpgid:     true, // Ctrl-C on a terminal then reaches the supervisor alone
	}
	layers, err := sandbox.Start(g.cmd, k.confinement(roots))
	if err == nil {
		g.pid = g.cmd.Process.Pid
	}
	return layers, err
}

// watch answers the requests of the core until its connection ends, and then ends the process.
func (g *generation) watch(onReady func()) {
	late := time.AfterFunc(startTimeout, g.kill)
	lost, impossible := g.server.Run(func() {
		late.Stop()
		onReady()
		close(g.ready)
	})
	late.Stop()
	// The core has closed its connection, or has broken the protocol and is not trusted any more.
	// A core that is exiting has its exit status already, so the signal does not change it.
	g.kill()
	err := g.waitFor(endTimeout)
	g.lost, g.cause = lost, "ended by itself"
	if err = errors.Join(g.whyKilled(), impossible, err); err != nil {
		g.failed, g.cause = true, err.Error()
	}
	close(g.ended)
}

// waitDelay bounds how long a process that the core has started may keep the core's output open.
const waitDelay = 5 * time.Second

// endTimeout bounds how long a process that was killed may take to end.
const endTimeout = 2 * time.Second

var errHangs = errors.New(
	"it was killed, but a file system that does not answer keeps it from ending")

// waitFor is wait with a timeout, because a dead file system may block a thread for ever.
func (g *generation) waitFor(timeout time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- g.wait() }() // ends with the process
	select {
	case err := <-ended:
		return err
	case <-time.After(timeout):
		return errHangs
	}
}

// wait waits for the process and returns how it ended. The kernel can give the number to another
// process once this one has been waited for, so waited is set before: kill then leaves the number
// alone.
func (g *generation) wait() error {
	for unix.Waitid(unix.P_PID, g.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	g.mu.Lock()
	g.waited = true
	g.mu.Unlock()
	return g.cmd.Wait()
}

// kill ends the process, and other processes of its group, which a core should not have started.
// It does nothing once the process has ended.
func (g *generation) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waited {
		return
	}
	g.cmd.Process.Kill()
	_ = unix.Kill(-g.pid, unix.SIGKILL)        // the process group
	time.AfterFunc(endTimeout, g.server.Close) // a process that cannot end keeps its socket open
}

// killFor kills the process for a reason that the log has to show.
func (g *generation) killFor(reason error) {
	g.mu.Lock()
	g.reason = reason
	g.mu.Unlock()
	g.kill()
}

func (g *generation) whyKilled() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason
}

// hangs reports whether the main thread of the process has ended, and others have not.
func (g *generation) hangs() bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(status), ") ") // the name of the program has no parenthesis
	return strings.HasPrefix(after, "Z")
}

// exchange sends the core certificates that replace others. A core that cannot receive them is
// ending, or is killed.
func (g *generation) exchange(changed []monitor.Certificate) {
	for _, c := range changed {
		if err := g.server.Exchange(c); err != nil && !g.hasEnded() {
			g.kill()
			return
		}
	}
}

// hasEnded reports whether the process has ended.
func (g *generation) hasEnded() bool {
	select {
	case <-g.ended:
		return true
	default:
		return false
	}
}

// drain lets the core finish its transfers within the timeout, and waits until it has ended. It
// kills a core that has not ended 5 seconds after the timeout.
func (g *generation) drain(timeout time.Duration) {
	if err := g.server.Drain(timeout); err != nil {
		g.kill()
	}
	select {
	case <-g.ended:
	case <-time.After(timeout + 5*time.Second):
		g.kill()
		<-g.ended
	}
}
