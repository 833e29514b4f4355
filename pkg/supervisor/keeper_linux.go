package supervisor

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ftpd/pkg/auth"
	"ftpd/pkg/keyring"
	"ftpd/pkg/monitor"
	"ftpd/pkg/roots"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/seccomp"
)

// A keeper starts a core, starts another one when it dies, and replaces it when the file systems at
// the roots have changed.
type keeper struct {
	Options
	handler   *handler
	public    *publicNames
	roots     *roots.Set
	program   string // the program of the core, which is the one that runs now
	identity  *syscall.Credential
	runAs     auth.RunAs // looks up the accounts of run_as
	listeners []net.Listener
	retired   []*generation // cores that were replaced and finish their sessions; owned by run

	// descriptors are duplicates of the listeners, which stay open while the service runs. They are
	// not of type os.File, because a call of Fd would switch them to blocking mode.
	descriptors []int

	mu      sync.Mutex
	running []*generation // guarded by mu; every core with a process that runs
}

func newKeeper(
	o Options, h *handler, runAs auth.RunAs, public *publicNames, roots *roots.Set, listeners []net.Listener,
) (*keeper, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	identity, err := coreIdentity()
	if err != nil {
		return nil, err
	}
	k := &keeper{
		Options:   o,
		handler:   h,
		public:    public,
		roots:     roots,
		program:   program,
		identity:  identity,
		runAs:     runAs,
		listeners: listeners,
	}
	h.cores = k.cores
	for _, l := range listeners {
		fd, err := descriptor(l)
		if err != nil {
			return nil, err
		}
		k.descriptors = append(k.descriptors, fd)
	}
	return k, nil
}

// CheckAccount returns the reason why cores could not run as the account ftpd, nil if they can.
func CheckAccount() error {
	_, err := coreIdentity()
	return err
}

// coreIdentity returns the identity that cores run with: the account ftpd.
func coreIdentity() (*syscall.Credential, error) {
	// The package makes this account on the host itself, so /etc/passwd, which is all that a
	// program without cgo reads, is enough.
	account, err := user.Lookup("ftpd")
	if err != nil {
		return nil, fmt.Errorf("the account ftpd, which serves the network, does not exist: "+
			"make it with useradd --system --user-group --no-create-home "+
			"--home-dir /nonexistent --shell /usr/sbin/nologin ftpd (%w)", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if uid == 0 || gid == 0 {
		return nil, fmt.Errorf("the account ftpd must not be root: it has uid %d and gid %d", uid, gid)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}, nil
}

// descriptor returns a duplicate of the listener's descriptor.
func descriptor(l net.Listener) (fd int, err error) {
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return -1, err
	}
	control := raw.Control(func(s uintptr) {
		fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0)
	})
	if control != nil {
		return -1, control
	}
	return fd, err
}

// run starts the first core, and another one whenever one dies, until ctx ends. Then it waits until
// the cores have finished their transfers.
func (k *keeper) run(ctx context.Context) error {
	g, err := k.startFirst(ctx)
	if err != nil || g == nil {
		return err
	}
	closeAdmin := serveAdmin(k.Options, k.handler)
	defer closeAdmin()
	ready(k.Options)
	go k.public.run(ctx) // ends with ctx
	ticker := time.NewTicker(keyring.LookInterval)
	defer ticker.Stop()
	var b backoff
	for g != nil && ctx.Err() == nil {
		mounted, answered := k.changes()
		select {
		case <-ctx.Done():
		case <-mounted:
			k.Log.Info().Msg("file systems were mounted or taken away: a new core takes over")
			g = k.replace(ctx, g)
		case <-answered:
			k.Log.Info().Msg("a root that was left out answers: a new core takes over")
			g = k.replace(ctx, g)
		case now := <-ticker.C:
			k.renew(g, now)
			k.endHanging()
		case f := <-k.public.changed:
			k.sendAll(func(c *monitor.Server) error { return c.Found(f) })
		case <-g.ended:
			k.report(g)
			g = k.restart(ctx, b.next(time.Since(g.started)))
		}
	}
	k.stop(g)
	return nil
}

// changes returns the channels of the roots that are reasons for another core. They are nil, and a
// change waits, while maxRetired cores that were replaced still run.
func (k *keeper) changes() (mounted, answered <-chan struct{}) {
	k.forgetEnded()
	if len(k.retired) >= maxRetired {
		return nil, nil
	}
	return k.roots.Mounted(), k.roots.Answered()
}

// startFirst starts the first core and returns it when it is ready. It returns nil when ctx ends
// before.
func (k *keeper) startFirst(ctx context.Context) (*generation, error) {
	if err := k.roots.MountFirst(ctx); err != nil {
		return nil, unlessEnded(ctx, err)
	}
	g, layers, err := k.start(ctx)
	if err != nil {
		return nil, unlessEnded(ctx, err)
	}
	announce(k.Options, k.listeners, layers, k.handler.keys)
	warnPrivate(k.Options, k.listeners, k.public.addresses())
	select {
	case <-g.ready:
		return g, nil
	case <-g.ended:
		return nil, fmt.Errorf("the core ended before it was ready: %s\n%s", g.cause, g.output)
	case <-ctx.Done():
		g.kill()
		<-g.ended
		return nil, nil
	}
}

// unlessEnded returns err, or nil if ctx has ended, because the end of ctx is no failure.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// renew sends certificates that have changed to all cores, also to the cores that were replaced,
// because these still have sessions.
func (k *keeper) renew(g *generation, now time.Time) {
	changed := k.handler.keys.Look(now)
	if len(changed) == 0 {
		return
	}
	k.forgetEnded()
	for _, each := range append([]*generation{g}, k.retired...) {
		each.exchange(changed)
	}
}

// sendAll calls send for every core. A core that cannot receive the message is ending, or is
// killed.
func (k *keeper) sendAll(send func(*monitor.Server) error) {
	k.mu.Lock()
	running := slices.Clone(k.running)
	k.mu.Unlock()
	for _, g := range running {
		if err := send(g.server); err != nil && !g.hasEnded() {
			g.kill()
		}
	}
}

// cores returns the cores that run.
func (k *keeper) cores() (all []runningCore) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range k.running {
		all = append(all, g.server)
	}
	return all
}

func (k *keeper) addRunning(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = append(k.running, g)
}

func (k *keeper) removeRunning(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = slices.DeleteFunc(k.running, func(r *generation) bool { return r == g })
}

// endHanging ends the connections of cores that have died, while a dead file system still blocks
// some of their threads.
func (k *keeper) endHanging() {
	k.mu.Lock()
	running := slices.Clone(k.running)
	k.mu.Unlock()
	for _, g := range running {
		if g.hangs() {
			g.server.Close()
			g.kill()
		}
	}
}

// report logs that a core has died.
func (k *keeper) report(g *generation) {
	k.Log.Error().Int("pid", g.pid).Str("cause", g.cause).Str("output", g.output.String()).
		Int("sessions", g.lost).Msg("core died")
}

// reportFailure waits for the end of a core and logs it, unless the core ended as it should.
func (k *keeper) reportFailure(g *generation) {
	<-g.ended
	if g.failed {
		k.report(g)
	}
}

// replace starts a core that takes all new sessions in place of old, which ends with its last
// session. It returns the core that takes new sessions: old, if the start fails.
func (k *keeper) replace(ctx context.Context, old *generation) *generation {
	next, _, err := k.start(ctx)
	if err != nil {
		k.Log.Error().Err(err).Msg("the core cannot be started")
		return old
	}
	select {
	case <-ctx.Done():
		next.kill()
		return old
	case <-next.ready:
		k.retire(old)
		return next
	case <-next.ended:
		k.Log.Error().Str("cause", next.cause).Str("output", next.output.String()).
			Msg("the core cannot be started")
		return old
	}
}

const (
	maxRetired     = 32 // bounds the cores that were replaced and have not ended
	maxIdleRetired = 4  // bounds those of them that keep sessions without a transfer
)

// retire lets a core finish its sessions, while another core takes the new ones.
func (k *keeper) retire(old *generation) {
	go k.reportFailure(old) // ends with the process
	r := &retirement{core: old.server, crowded: old.crowded, ended: old.ended, moves: k.moves}
	go func() { // ends with the process
		if err := r.run(context.Background()); err != nil {
			old.killFor(err)
		}
	}()
	k.forgetEnded()
	k.retired = append(k.retired, old)
	if len(k.retired) >= maxRetired {
		k.Log.Warn().Int("cores", len(k.retired)).Msg("too many replaced cores have transfers: " +
			"new mounts at the roots are not served until one of them has ended")
	}
	for _, g := range k.retired[:max(0, len(k.retired)-maxIdleRetired)] {
		g.crowd()
	}
}

// forgetEnded removes the replaced cores that have ended.
func (k *keeper) forgetEnded() {
	k.retired = slices.DeleteFunc(k.retired, (*generation).hasEnded)
}

// moves reports whether a transfer, or another command that takes long, runs in one of the
// sessions. Without a login it cannot.
func (k *keeper) moves(states []monitor.SessionState) bool {
	return slices.ContainsFunc(states, func(s monitor.SessionState) bool {
		return s.Busy && len(k.handler.registry.Get(s.Session).Users()) > 0
	})
}

// stop waits until the running transfers of all cores have ended. g is nil if the last core died.
// stop closes the listeners first, because a client in the queue of a listener would wait for all
// of that time. It shuts them down before, because the duplicates in a core that hangs would keep
// the addresses from the next start.
func (k *keeper) stop(g *generation) {
	stopping(k.Options)
	for _, fd := range k.descriptors {
		unix.Shutdown(fd, unix.SHUT_RDWR)
		unix.Close(fd)
	}
	closeAll(k.listeners)
	if g != nil {
		go k.reportFailure(g) // ends with the process
		k.retired = append(k.retired, g)
	}
	var drained sync.WaitGroup
	for _, g := range k.retired {
		drained.Go(func() { // ends with the core
			g.drain(timeout(k.Config.Server.DrainTimeout))
		})
	}
	drained.Wait()
}

// restart waits for the pause and starts a core, again and again until one could be started. It
// returns nil when ctx ends before.
func (k *keeper) restart(ctx context.Context, pause time.Duration) *generation {
	for {
		if pause > 0 {
			k.Log.Warn().Dur("pause", pause).Msg("cores die again and again: the next one waits")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		g, _, err := k.start(ctx)
		if err == nil {
			return g
		}
		k.Log.Error().Err(err).Msg("the core cannot be started")
		pause = maxPause
	}
}

// confinement returns what a core may reach.
func (k *keeper) confinement(roots []sandbox.Root) sandbox.Confinement {
	return sandbox.Confinement{
		Roots: roots,
		Keep:  coreCapabilities,
		Bare:  k.Config.Server.Sandbox == "off",
	}
}

// filter returns the filter of the core's system calls, nil if there is none.
func (k *keeper) filter(layers sandbox.Layers) *seccomp.Filter {
	if layers.Seccomp == "" {
		return nil
	}
	f := &seccomp.Filter{
		MinUID: uint32(k.Config.Auth.MinUID),
		UIDs:   []uint32{k.identity.Uid},
	}
	for _, account := range append(k.Config.RunAsInForce(), k.Config.Auth.Guest) {
		if account == "" {
			continue
		}
		as, err := k.runAs(account)
		if err != nil {
			k.Log.Warn().Err(err).Str("user", account).
				Msg("the uid of this account is permitted only after the next start")
			continue
		}
		f.UIDs = append(f.UIDs, as.UID)
	}
	return f
}
