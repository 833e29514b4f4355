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

// coreCapabilities are all that a core holds: to take the identity of users around filesystem calls.
var coreCapabilities = []uintptr{unix.CAP_SETGID, unix.CAP_SETUID}

// startTimeout bounds how long a core may take until it is ready.
const startTimeout = 30 * time.Second

// A generation is one core process with one configuration.
type generation struct {
	cmd     *exec.Cmd
	server  *monitor.Server
	pid     int
	started time.Time
	output  *tail         // the last lines that the core wrote itself, which are those of a crash
	ready   chan struct{} // closed when the core accepts connections
	ended   chan struct{} // closed when the process is gone; the following may be read then
	failed  bool          // it did not end as it should
	cause   string
	lost    int // sessions that it took along

	mu     sync.Mutex
	waited bool // guarded by mu; the number of the process may be another's from now on
}

// start starts a core and hands it configuration and listeners.
func (k *keeper) start(ctx context.Context) (*generation, sandbox.Layers, error) {
	roots, err := k.roots.open(ctx)
	if err != nil {
		return nil, sandbox.Layers{}, err
	}
	defer sandbox.Close(roots)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, sandbox.Layers{}, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "monitor"), os.NewFile(uintptr(pair[1]), "monitor of the core")
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
	}
	layers, err := g.exec(k, theirs, roots)
	if err != nil {
		conn.Close()
		return nil, layers, fmt.Errorf("start the core: %w", err)
	}
	setup := monitor.Setup{
		Config:       k.Config.WithoutSecrets(),
		Zone:         localZone(),
		Ports:        ephemeralPorts(),
		Public:       k.public.addresses(),
		Certificates: k.handler.keys.certificates(),
		ClientCAs:    k.handler.keys.clientCAs,
		Implicit:     len(k.Config.Server.ListenTLS),
	}
	if err := g.server.Configure(setup, k.listeners); err != nil {
		conn.Close() // the watch below then ends the process
		k.Log.Error().Err(err).Msg("the core cannot be configured")
	}
	k.begins(g)
	go func() { // ends with the process
		defer k.ends(g)
		g.watch(func() { k.Log.Info().Int("pid", g.pid).Msg("core ready") })
	}()
	return g, layers, nil
}

// exec starts the process.
func (g *generation) exec(k *keeper, socket *os.File, roots []sandbox.Root) (sandbox.Layers, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return sandbox.Layers{}, err
	}
	defer null.Close()
	g.cmd = exec.Command(k.program, "core")
	g.cmd.Dir = "/"
	g.cmd.Env = []string{fmt.Sprint("GOMAXPROCS=", runtime.GOMAXPROCS(0))} // a core cannot read the cgroup's files
	g.cmd.Stdin, g.cmd.Stdout, g.cmd.Stderr = null, g.output, g.output
	g.cmd.ExtraFiles = []*os.File{socket}
	g.cmd.WaitDelay = waitDelay
	g.cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  k.identity,
		AmbientCaps: coreCapabilities,
		Setpgid:     true, // a terminal's Ctrl-C is for the supervisor, which lets transfers end
	}
	layers, err := sandbox.Start(g.cmd, k.confinement(roots))
	if err == nil {
		g.pid = g.cmd.Process.Pid
	}
	return layers, err
}

// watch answers the core until it ends, and sees to it that it does.
func (g *generation) watch(onReady func()) {
	late := time.AfterFunc(startTimeout, g.kill)
	lost, impossible := g.server.Run(func() {
		late.Stop()
		onReady()
		close(g.ready)
	})
	late.Stop()
	g.kill() // it has hung up or is not to be trusted; one that is ending has its exit status already
	err := g.waitFor(endTimeout)
	g.lost, g.cause = lost, "ended by itself"
	if err = errors.Join(impossible, err); err != nil {
		g.failed, g.cause = true, err.Error()
	}
	close(g.ended)
}

// waitDelay bounds how long something that the core left behind may keep its output open.
const waitDelay = 5 * time.Second

// endTimeout bounds how long a process that was killed may take to end.
const endTimeout = 2 * time.Second

var errHangs = errors.New("it was killed, but a file system that does not answer keeps it from ending")

// waitFor is wait with a bound: a dead file system may hold up one of the threads for ever.
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

// wait returns how the process ended. The number is out of kill's reach before the kernel can give
// it to another process, which is when the process has been waited for.
func (g *generation) wait() error {
	for unix.Waitid(unix.P_PID, g.pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	g.mu.Lock()
	g.waited = true
	g.mu.Unlock()
	return g.cmd.Wait()
}

// kill ends the process, and what it may have started against all rules; not once it has ended.
func (g *generation) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waited {
		return
	}
	g.cmd.Process.Kill()
	_ = unix.Kill(-g.pid, unix.SIGKILL)        // its process group
	time.AfterFunc(endTimeout, g.server.Close) // a process that cannot end keeps its socket open
}

// hangs reports whether the process has died, and some threads of it have not.
func (g *generation) hangs() bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(status), ") ") // the name of a core has no parenthesis
	return strings.HasPrefix(after, "Z")
}

// exchange makes the core show other certificates. One that cannot be told is ending, or is ended.
func (g *generation) exchange(changed []monitor.Certificate) {
	for _, c := range changed {
		if err := g.server.Exchange(c); err != nil && !g.gone() {
			g.kill()
			return
		}
	}
}

// retire lets the core finish its sessions while another one serves.
func (g *generation) retire() {
	if err := g.server.Retire(); err != nil {
		g.kill()
	}
}

// finishTransfers lets the core finish its transfers, however long they take; its other sessions are dismissed.
func (g *generation) finishTransfers() {
	if err := g.server.Drain(forever); err != nil {
		g.kill()
	}
}

// gone tells whether the process has ended.
func (g *generation) gone() bool {
	select {
	case <-g.ended:
		return true
	default:
		return false
	}
}

// drain asks the core to end and waits until it has, or the timeout and a moment more have passed.
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
