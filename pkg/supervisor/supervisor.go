// Package supervisor is the privileged side of the service: all that a running service needs and a protocol does not. It owns the
// listeners, the configuration, the log, the counts of sessions and the helpers that ask PAM and NSS, and keeps a core running that
// serves FTP with none of these. The picture is in docs/processes.md.
package supervisor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"

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
	if err := errors.Join(vfs.Probe(), probeActivePort(o)); err != nil {
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
	roots, err := newRootSet(o)
	if err != nil {
		return err
	}
	backend, err := startBackend(o, roots.lostError)
	if err != nil {
		return err
	}
	defer backend.close()
	keeper, err := newKeeper(o, backend.handler(o, keys), newPublicNames(ctx, o), roots, listeners)
	if err != nil {
		return err
	}
	return keeper.run(ctx)
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
