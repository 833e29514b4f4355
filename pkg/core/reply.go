package core

import (
	"fmt"
	"strconv"
	"strings"
)

// A Reply is what the server says to a command (RFC 959 §4.2): a code and one line of text, or several. It is an error, too, so that
// a handler may return one to refuse.
type Reply struct {
	Code  int
	Text  []string
	cause error // for the log: why it is a refusal, or what did not succeed in a success
}

func reply(code int, format string, args ...any) Reply {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return Reply{Code: code, Text: []string{format}}
}

// lines is a reply whose text an administrator wrote, in one line or several.
func lines(code int, text string) Reply {
	text = strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n")
	return Reply{Code: code, Text: strings.Split(text, "\n")}
}

func (r Reply) Error() string { return strconv.Itoa(r.Code) + " " + strings.Join(r.Text, " ") }

func (r Reply) Unwrap() error { return r.cause }

// because adds what the log shall know and the client not.
func (r Reply) because(cause error) Reply {
	r.cause = cause
	return r
}

func (r Reply) refusal() bool { return r.Code >= 400 }

// announces reports whether the reply names a port that the client will connect to. Firewalls and
// address translators read such replies.
func (r Reply) announces() bool { return r.Code == 227 || r.Code == 229 }

// append writes the reply as it goes over the wire. A line in the middle that begins with a digit is indented, lest it pass for the
// last one (RFC 959 §4.2).
func (r Reply) append(dst []byte) []byte {
	last := len(r.Text) - 1
	for i, text := range r.Text {
		switch {
		case i == last:
			dst = append(strconv.AppendInt(dst, int64(r.Code), 10), ' ')
		case i == 0:
			dst = append(strconv.AppendInt(dst, int64(r.Code), 10), '-')
		case text != "" && '0' <= text[0] && text[0] <= '9':
			dst = append(dst, ' ')
		}
		dst = append(appendTelnet(dst, text), "\r\n"...)
	}
	return dst
}

// appendTelnet writes a text for the control connection, which is a Telnet one (RFC 959 §2.3): there the byte 255 is written twice.
// Data connections have no such rule.
func appendTelnet(dst []byte, text string) []byte {
	for {
		i := strings.IndexByte(text, telnetByte)
		if i < 0 {
			return appendName(dst, text)
		}
		dst = append(appendName(dst, text[:i]), telnetByte, telnetByte)
		text = text[i+1:]
	}
}

// appendName writes a name or a text with "?" for what would end its line. All other bytes stay: names are bytes.
func appendName(dst []byte, name string) []byte {
	if strings.IndexByte(name, '\r') < 0 && strings.IndexByte(name, '\n') < 0 && strings.IndexByte(name, 0) < 0 {
		return append(dst, name...)
	}
	for i := range len(name) {
		c := name[i]
		if c == '\r' || c == '\n' || c == 0 {
			c = '?'
		}
		dst = append(dst, c)
	}
	return dst
}

// quoted is a pathname in a 257 reply: in double quotes, its own ones doubled (RFC 959 appendix II).
func quoted(path string) string { return `"` + strings.ReplaceAll(path, `"`, `""`) + `"` }
