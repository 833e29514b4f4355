package core

import "bytes"

// maxLine is the longest command line, without its end. Longer ones are answered 500.
const maxLine = 2048

// An input turns the bytes of a control connection into lines: it takes out Telnet commands (RFC 854, RFC 959 §4.1) and cuts lines
// that are too long. What it passes on never has a line of more than maxLine+1 bytes, however much the client sends.
type input struct {
	telnet telnetState
	line   int // bytes of the current line that were passed on
}

type telnetState uint8

const (
	telnetText   telnetState = iota
	telnetIAC                // IAC was read
	telnetOption             // IAC and WILL, WONT, DO or DONT were read: an option follows
	telnetSub                // inside IAC SB … IAC SE
	telnetSubIAC             // IAC was read in there
)

const (
	telnetFirst = 236 // of the commands
	telnetSE    = 240
	telnetSB    = 250
	telnetWILL  = 251
	telnetDONT  = 254
	telnetByte  = 255 // IAC
)

// filter works in place and returns what is left of p.
func (in *input) filter(p []byte) []byte {
	if in.telnet == telnetIAC { // the piece before ended with it: what it means depends on this one
		in.telnet = telnetText
		p = append([]byte{telnetByte}, p...)
	}
	out := p[:0]
	for _, c := range p {
		alone := in.telnet == telnetIAC && c < telnetFirst
		if (in.telnet != telnetText || c == telnetByte) && !in.command(c) {
			continue
		}
		if alone && in.line > 0 {
			out = in.pass(out, telnetByte)
		}
		out = in.pass(out, c)
	}
	return out
}

// pass passes a byte on, while its line is not too long.
func (in *input) pass(out []byte, c byte) []byte {
	switch {
	case c == '\n':
		in.line = 0
	case in.line > maxLine:
		return out
	default:
		in.line++
	}
	return append(out, c)
}

// command takes a byte that belongs to a Telnet command; true means that it is text after all: IAC IAC is one byte 255. Most clients
// do not know that and send a name's byte 255 once, so an IAC before what is no Telnet command is text too; but not at the begin of a
// line, where no command has such a byte and a Telnet command may have been torn apart. An
// option or a subnegotiation whose client went back to text without an end must not swallow commands, so a line end ends both.
func (in *input) command(c byte) (text bool) {
	switch in.telnet {
	case telnetText:
		in.telnet = telnetIAC
	case telnetIAC:
		switch {
		case c == telnetByte:
			in.telnet = telnetText
			return true
		case c == telnetSB:
			in.telnet = telnetSub
		case c >= telnetWILL && c <= telnetDONT:
			in.telnet = telnetOption
		default:
			in.telnet = telnetText
			return c < telnetFirst
		}
	case telnetOption:
		in.telnet = telnetText
		return c == '\n'
	case telnetSub:
		switch c {
		case telnetByte:
			in.telnet = telnetSubIAC
		case '\n':
			in.telnet = telnetText
			return true
		}
	case telnetSubIAC:
		in.telnet = telnetSub
		if c == telnetSE || c == '\n' {
			in.telnet = telnetText
		}
		return c == '\n'
	}
	return false
}

// cutLine takes the first line off what a filter passed on. Lines end with CRLF, or with LF alone.
func cutLine(p []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		return nil, p, false
	}
	line, rest = p[:i], p[i+1:]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest, true
}
