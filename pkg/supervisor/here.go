package supervisor

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"

	"ftpd/pkg/auth"
	"ftpd/pkg/core"
	"ftpd/pkg/monitor"
	"ftpd/pkg/vfs"
)

// A here is a service whose supervisor and core are in this process.
type here struct {
	Options
	listeners []net.Listener
	handler   *handler
	keys      *keyring
	shown     *core.Certificates
	public    *publicNames
	server    *core.Server
}

// ServeHere runs supervisor and core in this process until ctx ends, for what has nothing to separate (InOneProcess): nobody's
// identity is taken, and only the configuration knows users.
func ServeHere(ctx context.Context, o Options) error {
	h, err := newHere(ctx, o)
	if err != nil {
		return err
	}
	h.announce()
	ended := h.accept()
	if o.Config.Admin.Socket != "" { // ftpd share has none
		defer serveAdmin(o, h.handler, func() []runningCore { return []runningCore{h} })()
	}
	ready(o)
	go h.public.run(ctx) // ends with ctx
	err = h.untilEnded(ctx, ended)
	h.stop(ctx)
	return err
}

func newHere(ctx context.Context, o Options) (*here, error) {
	if err := errors.Join(vfs.Probe(), probeActivePort(o)); err != nil {
		return nil, err
	}
	h := &here{Options: o}
	var err error
	if h.listeners, err = listenAll(ctx, o.Config); err != nil {
		return nil, err
	}
	bans := newBans(o.Config.Ban)
	authorizer, err := compose(o.Config, nil, auth.NewQueue(runtime.NumCPU(), maxWaiting, bans.isSuspect), nil, nil)
	if err != nil {
		return nil, err
	}
	if h.keys, err = newKeyring(o); err != nil {
		return nil, err
	}
	h.handler = newHandler(o, bans, authorizer, h.keys)
	if h.shown, err = core.NewCertificates(h.handler, h.keys.certificates(), h.keys.clientCAs); err != nil {
		return nil, err
	}
	h.public = newPublicNames(ctx, o)
	h.server = core.New(core.Options{
		Config:       o.Config,
		Supervisor:   h.handler,
		Zone:         time.Local,
		Ports:        ephemeralPorts(),
		Public:       h.public.addresses(),
		Certificates: h.shown,
	})
	return h, nil
}

func (h *here) announce() {
	announce(h.Options, h.listeners, h.Layers, h.keys)
	if h.Announce == nil { // who shares a directory sees the addresses
		warnPrivate(h.Options, h.listeners, h.public.addresses())
	}
	if h.Watch != nil {
		h.Watch(h.server.Transfers)
	}
}

// accept takes clients; the channel tells when a listener has ended.
func (h *here) accept() <-chan error {
	ended := make(chan error, len(h.listeners))
	for i, l := range h.listeners {
		serve := h.server.Serve
		if i >= len(h.Config.Server.Listen) {
			serve = h.server.ServeTLS
		}
		go func() { ended <- serve(l) }() // ends when stop closes its listener
	}
	return ended
}

// untilEnded keeps certificates and public addresses fresh until ctx ends, or a listener does, whose error it returns.
func (h *here) untilEnded(ctx context.Context, ended <-chan error) error {
	looks := time.NewTicker(lookInterval)
	defer looks.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		case f := <-h.public.changed:
			h.server.NameFound(f)
		case now := <-looks.C:
			for _, c := range h.keys.look(now) {
				if err := h.shown.Exchange(c); err != nil {
					return err
				}
			}
		}
	}
}

// Look tells of the sessions, as a core in another process does.
func (h *here) Look(context.Context) []monitor.SessionState { return h.server.Sessions() }

// Kick ends a session, likewise.
func (h *here) Kick(session string) error {
	h.server.Kick(session)
	return nil
}

// stop lets running transfers end.
func (h *here) stop(ctx context.Context) {
	closeAll(h.listeners)
	stopping(h.Options)
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout(h.Config.Server.DrainTimeout))
	defer cancel()
	h.server.Shutdown(drained)
}
