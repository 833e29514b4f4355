package supervisor

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"

	"ftpd/pkg/admission"
	"ftpd/pkg/auth"
	"ftpd/pkg/core"
	"ftpd/pkg/ftptls"
	"ftpd/pkg/keyring"
	"ftpd/pkg/monitor"
	"ftpd/pkg/vfs"
)

// A singleProcess is a service with supervisor and core in this process.
type singleProcess struct {
	Options
	listeners    []net.Listener
	handler      *handler
	keys         *keyring.Keyring
	certificates *ftptls.Certificates
	public       *publicNames
	server       *core.Server
}

// ServeHere runs supervisor and core in this process until ctx ends. It is for configurations that
// need no separate processes (InOneProcess): files are accessed with the rights of this process,
// and all users are in the configuration.
func ServeHere(ctx context.Context, o Options) error {
	clearUmask()
	p, err := newSingleProcess(ctx, o)
	if err != nil {
		return err
	}
	p.announce()
	ended := p.accept()
	if o.Config.Admin.Socket != "" { // ftpd share has none
		defer serveAdmin(o, p.handler)()
	}
	ready(o)
	go p.public.run(ctx) // ends with ctx
	err = p.untilEnded(ctx, ended)
	p.stop(ctx)
	p.handler.repeats.Flush()
	return err
}

func newSingleProcess(ctx context.Context, o Options) (*singleProcess, error) {
	if err := errors.Join(vfs.Probe(), probeActivePort(o)); err != nil {
		return nil, err
	}
	p := &singleProcess{Options: o}
	var err error
	if p.listeners, err = listenAll(ctx, o.Config); err != nil {
		return nil, err
	}
	bans := admission.NewBans(o.Config.Ban)
	queue := auth.NewQueue(runtime.NumCPU(), maxWaiting, bans.Standing)
	authorizer, err := compose(o.Config, nil, queue, comparison(o, false), nil, nil)
	if err != nil {
		return nil, err
	}
	if p.keys, err = readKeys(o); err != nil {
		return nil, err
	}
	p.handler = newHandler(o, bans, authorizer, p.keys)
	p.certificates, err = ftptls.NewCertificates(p.handler, p.keys.Certificates(), p.keys.ClientCAs)
	if err != nil {
		return nil, err
	}
	p.handler.cores = func() []runningCore { return []runningCore{p} }
	p.public = newPublicNames(ctx, o)
	p.server = core.New(core.Options{
		Config:       o.Config,
		Supervisor:   p.handler,
		Roots:        o.Roots,
		Zone:         time.Local,
		Ports:        ephemeralPorts(),
		Public:       p.public.addresses(),
		Certificates: p.certificates,
	})
	return p, nil
}

// readKeys returns the certificate of the Options if they have one, else the certificates of the
// configuration.
func readKeys(o Options) (*keyring.Keyring, error) {
	if o.Certificate != nil {
		return keyring.Of(o.Certificate), nil
	}
	return keyring.Read(o.Config, o.Log)
}

func (p *singleProcess) announce() {
	announce(p.Options, p.listeners, p.Layers, p.keys)
	if p.Announce == nil { // ftpd share shows the addresses by itself
		warnPrivate(p.Options, p.listeners, p.public.addresses())
	}
	if p.Watch != nil {
		p.Watch(p.server.Transfers)
	}
}

// accept accepts clients. The channel receives the error of each listener that has ended.
func (p *singleProcess) accept() <-chan error {
	ended := make(chan error, len(p.listeners))
	for i, l := range p.listeners {
		serve := p.server.Serve
		if i >= len(p.Config.Server.Listen) {
			serve = p.server.ServeTLS
		}
		go func() { ended <- serve(l) }() // ends when stop closes its listener
	}
	return ended
}

// untilEnded keeps certificates and public addresses up to date until ctx ends, or until a listener
// ends. It returns the error of that listener.
func (p *singleProcess) untilEnded(ctx context.Context, ended <-chan error) error {
	ticker := time.NewTicker(keyring.LookInterval)
	defer ticker.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		case f := <-p.public.changed:
			p.server.NameFound(f)
		case now := <-ticker.C:
			for _, c := range p.keys.Look(now) {
				if err := p.certificates.Exchange(c); err != nil {
					return err
				}
			}
		}
	}
}

// Look implements runningCore.
func (p *singleProcess) Look(context.Context) []monitor.SessionState { return p.server.Sessions() }

// Kick implements runningCore.
func (p *singleProcess) Kick(session string) error {
	p.server.Kick(session)
	return nil
}

// Displace implements runningCore.
func (p *singleProcess) Displace(session string) error {
	p.server.Displace(session)
	return nil
}

// stop closes the listeners and waits until running transfers have ended, at most for
// server.drain_timeout.
func (p *singleProcess) stop(ctx context.Context) {
	closeAll(p.listeners)
	stopping(p.Options)
	limit := timeout(p.Config.Server.DrainTimeout)
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	p.server.Shutdown(drained)
}
