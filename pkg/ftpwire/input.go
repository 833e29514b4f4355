package ftpwire

import "bytes"

// MaxLine is the length in bytes of the longest command line, without its end.
const MaxLine = 2048

// An Input takes Telnet commands out of the bytes of one control connection (RFC 854, RFC 959
// §4.1) and shortens lines that are too long. It has the state between two reads; the zero
// Input stands at the beginning of a connection. It must not be used by several goroutines at
// the same time.
type Input struct {
	telnet telnetState
	line   int // bytes of the current line that Filter has returned
}

type telnetState uint8

const (
	inText      telnetState = iota
	afterIAC                // IAC was read
	afterOption             // IAC and WILL, WONT, DO or DONT were read: an option follows
	inSub                   // within IAC SB … IAC SE
	inSubIAC                // IAC was read within IAC SB … IAC SE
)

const (
	telnetFirst = 236 // the lowest command
	telnetSE    = 240
	telnetSB    = 250
	telnetWILL  = 251
	telnetDONT  = 254
	telnetIAC   = 255
)

// Filter returns what p holds for the FTP server. It reuses p's memory. A line that is longer
// than MaxLine bytes is cut to MaxLine+1, so that CutLine's caller can recognize it and memory
// is bounded whatever the client sends.
func (in *Input) Filter(p []byte) []byte {
	if in.telnet == afterIAC { // the byte after an IAC decides whether the IAC was text
		in.telnet = inText
		p = append([]byte{telnetIAC}, p...)
	}
	out := p[:0]
	for _, c := range p {
		undoubled := in.telnet == afterIAC && c < telnetFirst // that IAC was text, sent once
		if (in.telnet != inText || c == telnetIAC) && !in.isText(c) {
			continue
		}
		if undoubled && in.line > 0 {
			out = in.keep(out, telnetIAC)
		}
		out = in.keep(out, c)
	}
	return out
}

// keep appends a byte to out unless its line is too long.
func (in *Input) keep(out []byte, c byte) []byte {
	switch {
	case c == '\n':
		in.line = 0
	case in.line > MaxLine:
		return out
	default:
		in.line++
	}
	return append(out, c)
}

// isText advances the state by a byte that is an IAC or follows one, and reports whether the
// byte is text: IAC IAC is one byte 255. Most clients do not know that rule and send a name's
// byte 255 once. So an IAC before a byte that is no Telnet command is text too, except at the
// beginning of a line: no FTP command begins with an IAC, and the IAC may be the first half of
// a Telnet command that lost the other half. A line end finishes an option or a
// subnegotiation. Without that, one that the client never finishes would hide the FTP commands
// behind it.
func (in *Input) isText(c byte) bool {
	switch in.telnet {
	case inText:
		in.telnet = afterIAC
	case afterIAC:
		switch {
		case c == telnetIAC:
			in.telnet = inText
			return true
		case c == telnetSB:
			in.telnet = inSub
		case c >= telnetWILL && c <= telnetDONT:
			in.telnet = afterOption
		default:
			in.telnet = inText
			return c < telnetFirst
		}
	case afterOption:
		in.telnet = inText
		return c == '\n'
	case inSub:
		switch c {
		case telnetIAC:
			in.telnet = inSubIAC
		case '\n':
			in.telnet = inText
			return true
		}
	case inSubIAC:
		in.telnet = inSub
		if c == telnetSE || c == '\n' {
			in.telnet = inText
		}
		return c == '\n'
	}
	return false
}

// CutLine returns the first line of p without its end, and what follows the line. A line ends
// with CRLF, or with LF alone. Without a whole line, ok is false and rest is p. Both results
// share p's memory.
func CutLine(p []byte) (line, rest []byte, ok bool) {
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
