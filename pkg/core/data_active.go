package core

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

var errNoConnect = reply(425, "Cannot open the data connection.")

// An active opener connects to where PORT or EPRT said that the client listens, when the transfer command comes (RFC 959 §3.2).
type active struct {
	network Network
	local   netip.Addr // the control connection's: a client's firewall expects the data to come from there
	client  netip.AddrPort
	patient time.Duration // 0 is for ever
}

func (p *ports) dialer(local netip.Addr, client netip.AddrPort) *active {
	return &active{network: p.network, local: local, client: client, patient: p.patient}
}

func (a *active) open(ctx context.Context) (Conn, error) {
	dialing := ctx
	if a.patient > 0 {
		var cancel context.CancelFunc
		dialing, cancel = context.WithTimeout(ctx, a.patient)
		defer cancel()
	}
	c, err := a.network.Dial(dialing, a.local, a.client)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return nil, errNoConnect.because(fmt.Errorf("connect to %s: %w", a.client, err))
}

// Nothing is there before the dial, so there is nothing to take or to end.

func (*active) ready() bool { return false }
func (*active) refuse(bool) {}
func (*active) close()      {}
