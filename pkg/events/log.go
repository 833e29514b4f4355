package events

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"ftpd/pkg/config"
)

// NewLog writes the service's log to w: console lines or JSON objects, as format says ("auto": console where w is a terminal).
func NewLog(w io.Writer, level config.LogLevel, format config.LogFormat) zerolog.Logger {
	terminal := IsTerminal(w)
	if format == config.LogConsole || format == config.LogAuto && terminal {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !terminal, TimeFormat: time.DateTime}
	}
	parsed, err := zerolog.ParseLevel(string(level))
	if err != nil {
		parsed = zerolog.InfoLevel // cannot be: config has checked it
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Logger()
}

// IsTerminal says whether people read what is written to w: a terminal, or a writer in front of one that has a method of this name.
func IsTerminal(w io.Writer) bool {
	if front, ok := w.(interface{ IsTerminal() bool }); ok {
		return front.IsTerminal()
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A Record is an event with what the supervisor itself knows of its session.
type Record struct {
	Event
	Name   string         // the user who logged in; "" before
	Remote netip.AddrPort // of the control connection
	Count  int            // NotResumed: data connections of this client until now; 0: not counted
}

// A Log writes records. The message is the kind, all that varies is a field.
type Log struct{ Logger zerolog.Logger }

// Write writes one record.
func (l Log) Write(r Record) {
	e := l.Logger.WithLevel(level(r.Kind))
	if e == nil || level(r.Kind) < l.Logger.GetLevel() {
		return
	}
	e.Str("session", r.Session)
	if r.Remote.IsValid() {
		e.Str("remote", r.Remote.String())
	}
	user := r.Name
	if r.Kind == LoginFailed {
		user = r.User
	}
	text(e, "user", user)
	text(e, "client", r.Client)
	text(e, "verb", r.Verb)
	text(e, "path", r.Path)
	text(e, "to", r.To)
	text(e, "file", r.Host)
	if r.Kind.OfTransfer() {
		e.Int64("bytes", r.Bytes).Float64("seconds", r.Took.Seconds())
	}
	if r.Reply != 0 {
		e.Int("reply", r.Reply)
	}
	if r.Count != 0 {
		e.Int("count", r.Count)
	}
	text(e, "cause", r.Cause)
	text(e, "evidence", r.Evidence)
	e.Msg(string(r.Kind))
}

func text(e *zerolog.Event, key, value string) {
	if value != "" {
		e.Str(key, Clean(value))
	}
}

// OfTransfer reports whether an event is the record of a file's transfer.
func (k Kind) OfTransfer() bool {
	switch k {
	case Upload, UploadIncomplete, Download, DownloadIncomplete:
		return true
	}
	return false
}

func level(k Kind) zerolog.Level {
	switch k {
	case Line:
		return zerolog.DebugLevel
	case LoginFailed, Flood, UploadIncomplete, DownloadIncomplete:
		return zerolog.WarnLevel
	case Panic:
		return zerolog.ErrorLevel
	}
	return zerolog.InfoLevel
}

// Clean makes what a client sent fit to be read on a terminal: control characters, characters that reverse the direction of text,
// and bytes that are no UTF-8 become escapes as in \x1b and \u202e; a backslash is doubled, so that none can be forged.
func Clean(s string) string {
	if !strings.ContainsFunc(s, strange) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && n == 1, r < 0x80 && strange(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strange(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func strange(r rune) bool {
	return r == '\\' || r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
