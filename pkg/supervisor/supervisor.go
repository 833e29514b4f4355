// Package supervisor is the privileged side of the service. It does all that a running service
// needs and the FTP protocol does not. It owns the listeners, the configuration, the log, the
// counts of sessions and the helpers that query PAM and NSS. It keeps a core running, which serves
// FTP and has none of these. docs/processes.md has a picture of the processes.
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
	"ftpd/pkg/keyring"
	"ftpd/pkg/roots"
	"ftpd/pkg/sandbox"
	"ftpd/pkg/vfs"
)

// Options describe a service for Serve and ServeHere.
type Options struct {
	Config  *config.Config // checked; must not change any more
	Log     zerolog.Logger
	Version string
	Layers  sandbox.Layers      // what confines this process already
	Xferlog *events.TransferLog // nil: there is none

	// The following are for ServeHere.

	// Roots are the directories that contain all homes and mounts; nil: they may be anywhere.
	Roots []string
	// Certificate is served instead of the certificates in Config, unless it is nil.
	Certificate *tls.Certificate
	// Announce shows the start of the service. If it is nil, a record of the start is logged.
	Announce func(Start)
	// Watch is called when the listeners accept clients, unless it is nil. running returns the
	// transfers that run.
	Watch func(running func() []core.Progress)
}

// Serve runs the service in separate processes until ctx ends. This process, which must run as
// root, starts a core, starts another one when it dies, and keeps the listeners open meanwhile.
// Serve returns when running transfers have ended, or after server.drain_timeout.
func Serve(ctx context.Context, o Options) error {
	if err := errors.Join(vfs.Probe(), probeActivePort(o)); err != nil {
		return err
	}
	listeners, err := listenAll(ctx, o.Config)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	keys, err := keyring.Read(o.Config, o.Log)
	if err != nil {
		return err
	}
	served, err := roots.NewSet(o.Config, o.Log)
	if err != nil {
		return err
	}
	backend, err := startBackend(o, served.LostError)
	if err != nil {
		return err
	}
	defer backend.close()
	handler := backend.handler(o, keys)
	defer handler.repeats.Flush()
	keeper, err := newKeeper(
		o, handler, backend.runAs, newPublicNames(ctx, o), served, listeners)
	if err != nil {
		return err
	}
	return keeper.run(ctx)
}

// ready logs that the service is ready, and notifies systemd.
func ready(o Options) {
	o.Log.Info().Msg("ready")
	notify(o, daemon.SdNotifyReady)
}

// stopping logs that the service stops, and notifies systemd.
func stopping(o Options) {
	o.Log.Info().Msg("stop")
	// systemd kills a service that takes longer to stop than it allows, and would cut transfers.
	drain := timeout(o.Config.Server.DrainTimeout) + 10*time.Second
	notify(o, fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, drain.Microseconds()))
}

// notify sends a state to systemd, if systemd has started the service.
func notify(o Options, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		o.Log.Warn().Err(err).Msg("systemd cannot be notified")
	}
}

// ephemeralPorts returns the range from which the system chooses ports. It has the passive ports
// where the configuration sets none.
func ephemeralPorts() config.PortRange {
	r := config.PortRange{First: 49152, Last: 65535} // RFC 6335 §6
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(strings.TrimSpace(string(text)), &r.First, &r.Last)
	}
	return r
}
