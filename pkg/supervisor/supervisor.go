// Package supervisor is the privileged side of the service: all that a running service needs and a protocol does not. It owns the
// listeners, the configuration, the log, the counts of sessions and the helpers that ask PAM and NSS, and keeps a core running that
// serves FTP with none of these. The picture is in docs/processes.md.
package supervisor

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"

	"ftpd/pkg/auth"
	"ftpd/pkg/config"
	"ftpd/pkg/core"
	"ftpd/pkg/events"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/vfs"
)

// Options are what a service is started with.
type Options struct {
	Config  *config.Config // checked; not changed any more
	Log     zerolog.Logger
	Version string
	Layers  sandbox.Layers      // what confines this process already
	Xferlog *events.TransferLog // nil: there is none

	// The following are for ServeHere.
	Certificate *tls.Certificate                     // instead of those that the configuration names; nil: those
	Announce    func(Start)                          // tells people what begins; nil: the log gets a record
	Watch       func(running func() []core.Progress) // called when clients may come; nil: nobody wants to know
}

// Serve runs the service in separate processes until ctx ends: this one, which must be root, starts a core, starts it again when it
// dies, and keeps the listeners open meanwhile. It returns when running transfers have ended, or after server.drain_timeout.
func Serve(ctx context.Context, o Options) error {
	if err := vfs.Probe(); err != nil {
		return err
	}
	listeners, err := listenAll(ctx, o.Config)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	keys, err := newKeyring(o)
	if err != nil {
		return err
	}
	backend, err := startBackend(o)
	if err != nil {
		return err
	}
	defer backend.close()
	keeper, err := newKeeper(o, backend.desk(o, keys), newPublicNames(ctx, o), listeners)
	if err != nil {
		return err
	}
	return keeper.run(ctx)
}

// ServeHere runs supervisor and core in this process until ctx ends, for what has nothing to separate (InOneProcess): nobody's
// identity is taken, and only the configuration knows users.
func ServeHere(ctx context.Context, o Options) error {
	if err := vfs.Probe(); err != nil {
		return err
	}
	listeners, err := listenAll(ctx, o.Config)
	if err != nil {
		return err
	}
	bans := newBans(o.Config.Ban)
	queue := auth.NewQueue(runtime.NumCPU(), maxWaiting, bans.suspects)
	authorizer, err := compose(o.Config, nil, queue, nil)
	if err != nil {
		return err
	}
	keys, err := newKeyring(o)
	if err != nil {
		return err
	}
	desk := newDesk(o, bans, authorizer, keys)
	certificates, err := core.NewCertificates(desk, keys.certificates(), keys.clientCAs)
	if err != nil {
		return err
	}
	public := newPublicNames(ctx, o)
	server := core.New(core.Options{
		Config:       o.Config,
		Supervisor:   desk,
		Zone:         time.Local,
		Ports:        ephemeralPorts(),
		Public:       public.addresses(),
		Certificates: certificates,
	})
	announce(o, listeners, o.Layers, keys)
	if o.Announce == nil { // who shares a directory sees the addresses
		warnPrivate(o, listeners, public.addresses())
	}
	if o.Watch != nil {
		o.Watch(server.Transfers)
	}
	ended := make(chan error, len(listeners))
	for i, l := range listeners {
		serve := server.Serve
		if i >= len(o.Config.Server.Listen) {
			serve = server.ServeTLS
		}
		go func() { ended <- serve(l) }() // ends when closeAll closes its listener
	}
	if o.Config.Admin.Socket != "" { // ftpd share has none
		here := hereCore{server.Sessions, server.Kick}
		defer serveAdmin(o, desk, func() []looker { return []looker{here} })()
	}
	ready(o)
	go public.run(ctx) // ends with ctx
	err = untilEnded(ctx, ended, refresh{keys: keys, shown: certificates, public: public, server: server})
	closeAll(listeners)
	stopping(o)
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout(o.Config.Server.DrainTimeout))
	defer cancel()
	server.Shutdown(drained)
	return err
}

// A refresh is what changes while the service runs in one process.
type refresh struct {
	keys   *keyring
	shown  *core.Certificates
	public *publicNames
	server *core.Server
}

// untilEnded keeps certificates and public addresses fresh until ctx ends, or a listener does, whose error it returns.
func untilEnded(ctx context.Context, ended <-chan error, r refresh) error {
	looks := time.NewTicker(lookInterval)
	defer looks.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		case f := <-r.public.changed:
			r.server.NameFound(f)
		case now := <-looks.C:
			for _, c := range r.keys.look(now) {
				if err := r.shown.Exchange(c); err != nil {
					return err
				}
			}
		}
	}
}

func ready(o Options) {
	o.Log.Info().Msg("ready")
	notify(o, daemon.SdNotifyReady)
}

func stopping(o Options) {
	o.Log.Info().Msg("stop")
	// A service manager that waits less than the transfers may take would cut them.
	drain := timeout(o.Config.Server.DrainTimeout) + 10*time.Second
	notify(o, fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, drain.Microseconds()))
}

// notify tells systemd, if it started us.
func notify(o Options, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		o.Log.Warn().Err(err).Msg("systemd cannot be told")
	}
}

// ephemeralPorts is the system's own range, from which passive ports come where none is configured.
func ephemeralPorts() config.PortRange {
	r := config.PortRange{First: 49152, Last: 65535} // RFC 6335 §6
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(strings.TrimSpace(string(text)), &r.First, &r.Last)
	}
	return r
}
