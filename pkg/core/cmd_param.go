package core

import (
	"context"
	"strconv"
	"strings"

	"ftpd/pkg/dtp"
	"ftpd/pkg/transfer"
)

var (
	errType      = reply(504, "Type not implemented.")
	errParam     = reply(504, "Parameter not implemented.")
	errSyntax    = reply(501, "Syntax error in the argument.")
	errRestType  = reply(501, "REST is not allowed in ASCII mode; use TYPE I.")
	errEPSVOnly  = reply(501, "Not allowed after EPSV ALL.")
	errNoPassive = reply(502, "Passive data connections are switched off.")
	errPASV6     = reply(522, "PASV has no IPv6; use EPSV.")
	errFamily4   = reply(522, "Network protocol not supported, use (1).")
	errFamily6   = reply(522, "Network protocol not supported, use (2).")
)

// typeCode sets the representation type (RFC 959 §4.1.2).
func (s *Session) typeCode(_ context.Context, arg string) (Reply, error) {
	dataType, ok := transfer.ParseType(arg)
	if !ok {
		return Reply{}, errType
	}
	s.params.dataType = dataType
	if dataType.IsASCII() {
		return reply(200, "Type set to ASCII."), nil
	}
	return reply(200, "Type set to binary."), nil
}

// mode sets the transfer mode (RFC 959 §3.4). Only the stream mode is implemented.
func (s *Session) mode(_ context.Context, arg string) (Reply, error) {
	switch strings.ToUpper(trimBlanks(arg)) {
	case "S":
		return reply(200, "Transfer mode set to stream."), nil
	case "B", "C":
		return Reply{}, errParam
	}
	return Reply{}, errSyntax
}

// stru sets the file structure (RFC 959 §3.1.2). Only the structure "file" is implemented.
func (s *Session) stru(_ context.Context, arg string) (Reply, error) {
	switch strings.ToUpper(trimBlanks(arg)) {
	case "F":
		return reply(200, "File transfer structure set to file."), nil
	case "P", "R":
		return Reply{}, errParam
	}
	return Reply{}, errSyntax
}

// rest sets where the next transfer starts (RFC 3659 §5). WinSCP also sends "REST 0", in any
// type, to keep a session alive.
func (s *Session) rest(_ context.Context, arg string) (Reply, error) {
	offset, err := strconv.ParseUint(trimBlanks(arg), 10, 63)
	switch {
	case err != nil:
		return Reply{}, errSyntax
	case s.params.dataType.IsASCII() && offset > 0:
		return Reply{}, errRestType
	}
	s.params.restart = int64(offset)
	return reply(350, "Restarting at %d.", offset), nil
}

// opts refuses commands that have no options (RFC 2389 §4); the table has the others under
// both words.
func (s *Session) opts(context.Context, string) (Reply, error) { return Reply{}, errSyntax }

// optsUTF8 changes nothing: UTF8 is always on (RFC 2640). Windows' ftp.exe sends it before
// USER, and other clients in lower case.
func (s *Session) optsUTF8(_ context.Context, arg string) (Reply, error) {
	if v := strings.ToUpper(trimBlanks(arg)); v != "" && v != "ON" {
		return Reply{}, errSyntax
	}
	return reply(200, "UTF8 is always on."), nil
}

// pasv listens for a data connection (RFC 959 §4.1.2). Old clients search the reply for six
// numbers, others require the parentheses.
func (s *Session) pasv(context.Context, string) (Reply, error) {
	public := s.srv.public.For(s.conn.Local().Addr(), s.conn.Remote().Addr())
	switch {
	case s.params.epsvOnly:
		return Reply{}, errEPSVOnly
	case !s.ipv4() || !public.Is4():
		return Reply{}, errPASV6
	}
	p, err := s.listen()
	if err != nil {
		return Reply{}, err
	}
	a := public.As4()
	return reply(227, "Entering Passive Mode (%d,%d,%d,%d,%d,%d).", a[0], a[1], a[2], a[3],
		p.Port()>>8, p.Port()&0xff), nil
}

// epsv listens for a data connection of the control connection's family (RFC 2428 §3).
func (s *Session) epsv(_ context.Context, arg string) (Reply, error) {
	is4 := s.ipv4()
	switch strings.ToUpper(trimBlanks(arg)) {
	case "":
	case "ALL":
		s.params.epsvOnly = true
		return reply(220, "Only EPSV is allowed from now on."), nil
	case "1":
		if !is4 {
			return Reply{}, errFamily6
		}
	case "2":
		if is4 {
			return Reply{}, errFamily4
		}
	default:
		return Reply{}, errSyntax
	}
	p, err := s.listen()
	if err != nil {
		return Reply{}, err
	}
	return reply(229, "Entering Extended Passive Mode (|||%d|).", p.Port()), nil
}

var errNoPort = reply(425, "Cannot open a passive port.")

// listen opens a passive port. It closes the earlier one and its data connection.
func (s *Session) listen() (*dtp.Passive, error) {
	if !s.srv.config.Data.Passive {
		return nil, errNoPassive
	}
	s.dropOpener()
	p, err := s.srv.ports.Passive(s.conn.Local().Addr(), s.conn.Remote().Addr())
	if err != nil {
		return nil, errNoPort.Because(err)
	}
	s.params.opener = p
	return p, nil
}
