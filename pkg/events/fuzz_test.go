package events

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"ftpd/pkg/config"
)

// FuzzLog logs arbitrary texts of a client. A record must be one line: in JSON with the kind
// as message and with a path from which the text can be restored, on a console without any
// character that moves the cursor or changes the direction of text, and in the transfer log
// with the number of fields that xferlog(5) has.
func FuzzLog(f *testing.F) {
	for _, text := range []string{
		"plain", "a\r\nb", "\x1b[2J\x07", "\xff\xfe", `\x1b`, "\u202e\u2028\u0085",
		`"},{"level":"error"`, "\x00", "a=b c=\"d\"",
	} {
		f.Add(text, "cause", uint8(1))
		f.Add("/path", text, uint8(2))
	}
	kinds := []Kind{Connect, Login, LoginFailed, Upload, Command, Panic, Disconnect}
	f.Fuzz(func(t *testing.T, text, cause string, which uint8) {
		r := Record{
			Event: Event{
				Kind: kinds[int(which)%len(kinds)], Session: "abcd2345", Verb: "STOR",
				Path: text, To: cause, User: text, Cause: cause,
			},
			Name: text, Remote: netip.MustParseAddrPort("192.0.2.1:4000"),
		}
		var out bytes.Buffer
		Log{NewLog(&out, config.LogInfo, config.LogJSON)}.Write(r)
		var got map[string]any
		err := json.Unmarshal(out.Bytes(), &got)
		if err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("%q: %v", out.Bytes(), err)
		}
		path, _ := got["path"].(string)
		if path != Clean(text) || got["message"] != string(r.Kind) || restored(t, path) != text {
			t.Errorf("%q is logged as %v", text, got)
		}
		out.Reset()
		Log{NewLog(&out, config.LogInfo, config.LogConsole)}.Write(r)
		line, ok := strings.CutSuffix(out.String(), "\n")
		if !ok || !utf8.ValidString(line) || strings.ContainsFunc(line, controlsTerminal) {
			t.Errorf("%q is shown as %q", text, line)
		}
		out.Reset()
		NewTransferLog(&out, time.UTC).Write(r)
		line = out.String()
		fields := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' })
		ok = line == ""
		if r.Kind.OfTransfer() {
			ok = len(fields) == 18 && strings.IndexByte(line, '\n') == len(line)-1
		}
		if !ok {
			t.Errorf("%q is in the transfer log as %q", text, line)
		}
	})
}

// controlsTerminal reports whether a terminal may act on a character instead of showing it.
func controlsTerminal(c rune) bool {
	return unicode.IsControl(c) || unicode.In(c, unicode.Cf, unicode.Zl, unicode.Zp)
}

// restored returns the text that Clean has turned into s.
func restored(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for s != "" {
		if s[0] != '\\' {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		switch {
		case strings.HasPrefix(s, `\\`):
			b.WriteByte('\\')
			s = s[2:]
		case strings.HasPrefix(s, `\x`) && len(s) >= 4:
			b.WriteByte(byte(hex(s[2:4])))
			s = s[4:]
		default: // \u and four digits; five if the first four are no character that Clean escapes
			n := 6
			if len(s) > n && !needsEscape(hex(s[2:n])) {
				n++
			}
			if len(s) < n {
				t.Fatalf("%q", s)
			}
			b.WriteRune(hex(s[2:n]))
			s = s[n:]
		}
	}
	return b.String()
}

func hex(digits string) (r rune) {
	for _, c := range digits {
		r = r<<4 | rune(strings.IndexRune("0123456789abcdef", c))
	}
	return r
}
