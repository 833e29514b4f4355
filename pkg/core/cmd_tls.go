package core

import (
	"context"
	"strconv"
	"strings"

	"ftpd/pkg/phase"
)

var (
	errMechanism = reply(502, "Unknown security mechanism; use TLS.")
	errTLSTwice  = reply(503, "TLS is on already.")
	errNeedTLS   = reply(503, "Use AUTH TLS first.")
	errNeedPBSZ  = reply(503, "Use PBSZ 0 first.")
	errProtLevel = reply(521, "Protection level not supported; use P or C.")
	errProtWord  = reply(502, "Unknown protection level; use P or C.")
	errWeaker    = reply(534, "Data connections must be protected; use PROT P.")
	errUnsafe    = reply(521, "Data connections must be protected; use PROT P.")
	errStaysTLS  = reply(534, "The control connection stays protected.")
	errLoginTLS  = reply(530, "Log in over TLS only; use AUTH TLS first.")
)

// authTLS begins TLS on the control connection (RFC 4217 §4). SSL and the draft's TLS-C and
// TLS-P mean the same to today's clients; curl and FileZilla try SSL. Bytes that the client
// has sent behind the command had no protection, so they are dropped.
func (s *Session) authTLS(ctx context.Context, arg string) (Reply, error) {
	switch strings.ToUpper(trimBlanks(arg)) {
	case "TLS", "SSL", "TLS-C", "TLS-P":
	default:
		return Reply{}, errMechanism
	}
	if s.ctl.TLS != nil {
		return Reply{}, errTLSTwice
	}
	s.say(reply(234, "Ready for TLS."))
	s.flush()
	if !s.phase.Is(phase.Ended) {
		s.startTLS(ctx)
	}
	return Reply{}, nil
}

// pbsz accepts any size (RFC 4217 §9): TLS needs no agreement about a buffer.
func (s *Session) pbsz(_ context.Context, arg string) (Reply, error) {
	if s.ctl.TLS == nil {
		return Reply{}, errNeedTLS
	}
	if _, err := strconv.ParseUint(trimBlanks(arg), 10, 32); err != nil {
		return Reply{}, errSyntax
	}
	s.tls.sized = true
	return reply(200, "PBSZ=0"), nil
}

// prot sets whether data connections use TLS (RFC 4217 §9).
func (s *Session) prot(_ context.Context, arg string) (Reply, error) {
	switch {
	case s.ctl.TLS == nil:
		return Reply{}, errNeedTLS
	case !s.tls.sized:
		return Reply{}, errNeedPBSZ
	}
	switch strings.ToUpper(trimBlanks(arg)) {
	case "P":
		s.tls.private = true
		return reply(200, "Data connections are private."), nil
	case "C":
		if s.mustProtect() {
			return Reply{}, errWeaker
		}
		s.tls.private = false
		return reply(200, "Data connections are clear."), nil
	case "S", "E":
		return Reply{}, errProtLevel
	}
	return Reply{}, errProtWord
}

// ccc refuses to remove the protection from the control connection (RFC 4217 §5). Clients send
// CCC so that a NAT can read the commands, but then replies could be forged, and the next
// password read.
func (s *Session) ccc(context.Context, string) (Reply, error) {
	if s.ctl.TLS == nil {
		return Reply{}, errNeedTLS
	}
	return Reply{}, errStaysTLS
}

// mustProtect reports whether the user's data connections must use TLS. Before the login the
// answer is not known, and the result is false.
func (s *Session) mustProtect() bool {
	return s.login != nil && s.login.NeedsPrivateData()
}
