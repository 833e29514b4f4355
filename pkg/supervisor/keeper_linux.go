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

	"ftpd/pkg/monitor"
	"ftpd/pkg/sandbox"
)

// A keeper keeps one core serving.
type keeper struct {
	Options
	handler   *handler
	public    *publicNames
	roots     *rootSet
	program   string // of the core: this one's own
	identity  *syscall.Credential
	listeners []int // descriptors that never close while the service runs; no file of Go's, which would switch them to blocking mode
	addresses []net.Listener
	retired   []*generation // finish their transfers; owned by run

	mu      sync.Mutex
	running []*generation // guarded by mu; every core whose process runs
}

func newKeeper(o Options, h *handler, public *publicNames, roots *rootSet, listeners []net.Listener) (*keeper, error) {
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
		addresses: listeners,
	}
	for _, l := range listeners {
		fd, err := descriptor(l)
		if err != nil {
			return nil, err
		}
		k.listeners = append(k.listeners, fd)
	}
	return k, nil
}

// CheckAccount says why cores could not run as the account ftpd.
func CheckAccount() error {
	_, err := coreIdentity()
	return err
}

// coreIdentity is the account that cores run as.
func coreIdentity() (*syscall.Credential, error) {
	account, err := user.Lookup("ftpd") // made by the package on this host: /etc/passwd is enough
	if err != nil {
		return nil, fmt.Errorf("the account ftpd, which serves the network, does not exist: make it with "+
			"useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ftpd (%w)", err)
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

// run starts the first core, and another one whenever one dies, until ctx ends; then the last one drains.
func (k *keeper) run(ctx context.Context) error {
	g, err := k.first(ctx)
	if err != nil || g == nil {
		return err
	}
	closeAdmin := serveAdmin(k.Options, k.handler, k.cores)
	defer closeAdmin()
	ready(k.Options)
	go k.public.run(ctx) // ends with ctx
	looks := time.NewTicker(lookInterval)
	defer looks.Stop()
	var b backoff
	for g != nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-k.roots.mounts.changed:
			k.Log.Info().Msg("file systems were mounted or taken away: a new core takes over")
			g = k.replace(ctx, g)
		case <-k.roots.opener.Answered:
			k.Log.Info().Msg("a root that was left out answers: a new core takes over")
			g = k.replace(ctx, g)
		case now := <-looks.C:
			k.renew(g, now)
			k.endHanging()
		case f := <-k.public.changed:
			k.tellAll(func(c *monitor.Server) error { return c.Found(f) })
		case <-g.ended:
			k.report(g)
			g = k.again(ctx, b.next(time.Since(g.started)))
		}
	}
	k.stop(g)
	return nil
}

// first starts the first core and returns when it is ready, or with nil when ctx ends before.
func (k *keeper) first(ctx context.Context) (*generation, error) {
	if err := k.roots.mountFirst(ctx); err != nil {
		return nil, unlessEnded(ctx, err)
	}
	g, layers, err := k.start(ctx)
	if err != nil {
		return nil, unlessEnded(ctx, err)
	}
	announce(k.Options, k.addresses, layers, k.handler.keys)
	warnPrivate(k.Options, k.addresses, k.public.addresses())
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

// unlessEnded is an error that the end of ctx has not brought about.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// renew takes certificates that have changed to all cores, since those that were replaced still have sessions.
func (k *keeper) renew(g *generation, now time.Time) {
	changed := k.handler.keys.look(now)
	if len(changed) == 0 {
		return
	}
	k.retired = slices.DeleteFunc(k.retired, (*generation).gone)
	for _, each := range append([]*generation{g}, k.retired...) {
		each.exchange(changed)
	}
}

// tellAll tells every core. One that cannot be told is ending, or is ended.
func (k *keeper) tellAll(tell func(*monitor.Server) error) {
	k.mu.Lock()
	running := slices.Clone(k.running)
	k.mu.Unlock()
	for _, g := range running {
		if err := tell(g.server); err != nil && !g.gone() {
			g.kill()
		}
	}
}

// cores are those whose process runs.
func (k *keeper) cores() (all []runningCore) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, g := range k.running {
		all = append(all, g.server)
	}
	return all
}

func (k *keeper) begins(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = append(k.running, g)
}

func (k *keeper) ends(g *generation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = slices.DeleteFunc(k.running, func(r *generation) bool { return r == g })
}

// endHanging gives up cores that have died but for threads that a dead file system holds up.
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

// report tells of a core that has died.
func (k *keeper) report(g *generation) {
	k.Log.Error().Int("pid", g.pid).Str("cause", g.cause).Str("output", g.output.String()).Int("sessions", g.lost).Msg("core died")
}

// reportFailure tells of a core that should have ended by itself, and did not.
func (k *keeper) reportFailure(g *generation) {
	<-g.ended
	if g.failed {
		k.report(g)
	}
}

// maxRetired is how many cores may keep sessions that only wait, after another one took over.
const maxRetired = 4

// replace starts a core that takes over from old, which ends with its last session. Where that fails, old goes on.
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
		old.retire()
		go k.reportFailure(old) // ends with the process
		k.retired = slices.DeleteFunc(append(k.retired, old), (*generation).gone)
		if len(k.retired) > maxRetired {
			k.retired[0].finishTransfers()
		}
		return next
	case <-next.ended:
		k.Log.Error().Str("cause", next.cause).Str("output", next.output.String()).Msg("the core cannot be started")
		return old
	}
}

// stop lets the running transfers of all cores end; g is nil when the last one died. Nobody connects any more: who waits in the
// queue of a listener would wait for all of that time.
func (k *keeper) stop(g *generation) {
	stopping(k.Options)
	closeAll(k.addresses)
	for _, fd := range k.listeners {
		unix.Close(fd)
	}
	if g != nil {
		go k.reportFailure(g) // ends with the process
		k.retired = append(k.retired, g)
	}
	var drained sync.WaitGroup
	for _, g := range k.retired {
		drained.Go(func() { g.drain(timeout(k.Config.Server.DrainTimeout)) }) // ends with the core
	}
	drained.Wait()
}

// again waits out the pause and starts a core, until one could be started or ctx ends (nil).
func (k *keeper) again(ctx context.Context, pause time.Duration) *generation {
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

// confinement is what a core may still reach.
func (k *keeper) confinement(roots []sandbox.Root) sandbox.Confinement {
	return sandbox.Confinement{
		Roots: roots,
		Keep:  coreCapabilities,
		Bare:  k.Config.Server.Sandbox == "off",
	}
}
