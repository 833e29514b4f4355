// Package ftpwire reads and writes the control connection's bytes: command lines behind Telnet
// commands (RFC 854), replies (RFC 959 §4.2), and the times of RFC 3659. It holds no
// connection and no session.
package ftpwire

import (
	"fmt"
	"strconv"
	"strings"
)

// A Reply is the answer to a command (RFC 959 §4.2). It implements error, so that a function
// that refuses a command may return its Reply as the error. The zero Reply is no reply.
type Reply struct {
	Code int      // 100 to 599
	Text []string // one string for each line; at least one
	// Cause is for the log alone: why a command was refused, or what a success left out. It
	// may be nil.
	Cause error
}

// Replyf returns a reply of one line. Without args, format is the line itself and a percent
// sign in it has no meaning.
func Replyf(code int, format string, args ...any) Reply {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return Reply{Code: code, Text: []string{format}}
}

// Lines returns a reply with a text that an administrator wrote, in one line or several. The
// lines of text end with LF or CRLF. Line ends at the end of text are left out.
func Lines(code int, text string) Reply {
	text = strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n")
	return Reply{Code: code, Text: strings.Split(text, "\n")}
}

// Error returns the code and the text in one line, without the cause.
func (r Reply) Error() string { return strconv.Itoa(r.Code) + " " + strings.Join(r.Text, " ") }

// Unwrap returns the cause.
func (r Reply) Unwrap() error { return r.Cause }

// Because returns the reply with a cause for the log.
func (r Reply) Because(cause error) Reply {
	r.Cause = cause
	return r
}

// Reason returns what the log shows for a refused command: the cause, or the text's first line
// where there is none.
func (r Reply) Reason() string {
	if r.Cause != nil {
		return r.Cause.Error()
	}
	return r.Text[0]
}

// IsRefusal reports whether the command was not executed, or failed: a code of 4xx or 5xx.
func (r Reply) IsRefusal() bool { return r.Code >= 400 }

// NamesPort reports whether the reply names a port to which the client will connect (RFC 959
// §4.2, RFC 2428 §3). Firewalls and address translators read such replies.
func (r Reply) NamesPort() bool { return r.Code == 227 || r.Code == 229 }

// Append appends the reply as it is sent.
func (r Reply) Append(dst []byte) []byte {
	for i := range r.Text {
		dst = r.AppendLine(dst, i)
	}
	return dst
}

// AppendLine appends the i-th line of the reply as it is sent. A line in the middle that begins with
// a digit is indented, since a client could take it for the last one (RFC 959 §4.2). A byte of the
// text that would end its line becomes "?".
func (r Reply) AppendLine(dst []byte, i int) []byte {
	text := r.Text[i]
	switch {
	case i == len(r.Text)-1:
		dst = append(strconv.AppendInt(dst, int64(r.Code), 10), ' ')
	case i == 0:
		dst = append(strconv.AppendInt(dst, int64(r.Code), 10), '-')
	case text != "" && '0' <= text[0] && text[0] <= '9':
		dst = append(dst, ' ')
	}
	return append(appendTelnet(dst, text), "\r\n"...)
}

// appendTelnet appends a text for the control connection, which is a Telnet connection (RFC
// 959 §2.3): the byte 255 is written twice there. Data connections have no such rule.
func appendTelnet(dst []byte, text string) []byte {
	for {
		i := strings.IndexByte(text, telnetIAC)
		if i < 0 {
			return AppendName(dst, text)
		}
		dst = append(AppendName(dst, text[:i]), telnetIAC, telnetIAC)
		text = text[i+1:]
	}
}

// AppendName appends a name, or a line of text, with "?" in place of each CR, LF and NUL,
// which would end the line. All other bytes stay as they are, since a name may have any
// encoding.
func AppendName(dst []byte, name string) []byte {
	if strings.IndexByte(name, '\r') < 0 && strings.IndexByte(name, '\n') < 0 &&
		strings.IndexByte(name, 0) < 0 {
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

// Quote returns a pathname as a 257 reply shows it: in double quotes, with each double quote
// of the path written twice (RFC 959 appendix II).
func Quote(path string) string { return `"` + strings.ReplaceAll(path, `"`, `""`) + `"` }
