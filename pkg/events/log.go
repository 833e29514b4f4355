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

// NewLog returns a logger that writes the service's log to w, as console lines or as JSON
// objects. The format "auto" means console lines if w is a terminal, and JSON otherwise.
func NewLog(w io.Writer, level config.LogLevel, format config.LogFormat) zerolog.Logger {
	terminal := IsTerminal(w)
	if format == config.LogConsole || format == config.LogAuto && terminal {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !terminal, TimeFormat: time.DateTime}
	}
	parsed, err := zerolog.ParseLevel(string(level))
	if err != nil {
		parsed = zerolog.InfoLevel // cannot happen: config has checked the level
	}
	return zerolog.New(w).Level(parsed).With().Timestamp().Logger()
}

// IsTerminal reports whether w is a terminal. A writer that passes its lines on to another file
// decides this by a method of the same name.
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

// A Record is an event together with the facts about its session that the supervisor holds.
type Record struct {
	Event
	Name   string         // the logged-in user; "" before the login
	Remote netip.AddrPort // the client's address on the control connection
	Count  int            // NotResumed: see Tally; 0 means not counted
}

// A Log writes records. The message is the kind of the event, everything that varies is a field.
type Log struct{ Logger zerolog.Logger }

// Write writes one record.
func (l Log) Write(r Record) {
	e := l.Logger.WithLevel(r.Kind.Level())
	if e == nil || r.Kind.Level() < l.Logger.GetLevel() {
		return
	}
	text(e, "session", r.Session)
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
	if r.ResumedBefore {
		e.Bool("resumed_before", true)
	}
	text(e, "cause", r.Cause)
	text(e, "evidence", r.Evidence)
	e.Msg(string(r.Kind))
}

// text adds a field with a value that may come from the client. It omits an empty value.
func text(e *zerolog.Event, key, value string) {
	if value != "" {
		e.Str(key, Clean(value))
	}
}

// OfTransfer reports whether an event of this kind records the transfer of a file.
func (k Kind) OfTransfer() bool {
	switch k {
	case Upload, UploadIncomplete, Download, DownloadIncomplete:
		return true
	}
	return false
}

// WithoutLogin reports whether a session may cause an event of this kind before a user has logged
// in, LoginFailed and Connect aside. Lines are among the records of the level "debug" alone.
func (k Kind) WithoutLogin() bool { return k == Flood || k == Panic || k == Disconnect }

// Level returns the level of the records of this kind.
func (k Kind) Level() zerolog.Level {
	switch k {
	case Line:
		return zerolog.DebugLevel
	case LoginFailed, Flood, Dropped, UploadIncomplete, DownloadIncomplete:
		return zerolog.WarnLevel
	case Panic:
		return zerolog.ErrorLevel
	}
	return zerolog.InfoLevel
}

// Clean returns s in a form that is safe to show on a terminal. Control characters, characters
// that change the direction of text, and bytes that are not UTF-8 become escapes such as \x1b
// and \u202e. A backslash is doubled, so that a client cannot forge an escape.
func Clean(s string) string {
	if !strings.ContainsFunc(s, needsEscape) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && n == 1, r < 0x80 && needsEscape(r):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case needsEscape(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// needsEscape reports whether Clean replaces r.
func needsEscape(r rune) bool {
	return r == '\\' || r == utf8.RuneError || unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
