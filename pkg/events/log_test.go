package events

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ftpd/pkg/config"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode":      "plain ünïcode",
		"a\r\nb\tc":          `a\x0d\x0ab\x09c`,
		"\x1b[2J":            `\x1b[2J`,
		"\x7f":               `\x7f`,
		"\u0085\u202egpj":    `\u0085\u202egpj`,
		"latin1 \xfc":        `latin1 \xfc`,
		`forged \x1b`:        `forged \\x1b`,
		"zero\x00":           `zero\x00`,
		"line\u2028paragraf": `line\u2028paragraf`,
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %s, want %s", in, got, want)
		}
	}
}

// The message of a record is its kind. All that varies is in fields, and no text of a client
// can end its field.
func TestWrite(t *testing.T) {
	var out bytes.Buffer
	log := Log{NewLog(&out, "info", config.LogJSON)}
	log.Write(Record{
		Event: Event{
			Kind: Upload, Session: "abcd2345", Verb: "STOR", Path: "/a\x1b\n.txt",
			Host: "/home/alice/a", Bytes: 12, Took: 1500 * time.Millisecond, Reply: 226,
		},
		Name:   "alice",
		Remote: netip.MustParseAddrPort("192.0.2.1:4000"),
	})
	log.Write(Record{Event: Event{Kind: Line, Session: "abcd2345", Verb: "NOOP"}})
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines, want 1: the debug line is below the level\n%s", n, out.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"message": "upload", "level": "info", "session": "abcd2345", "user": "alice",
		"remote": "192.0.2.1:4000", "verb": "STOR", "path": `/a\x1b\x0a.txt`,
		"file": "/home/alice/a", "bytes": 12.0, "seconds": 1.5, "reply": 226.0,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

// Console lines that do not go to a terminal hold neither colours nor control characters.
func TestConsole(t *testing.T) {
	var out bytes.Buffer
	log := Log{NewLog(&out, "info", config.LogConsole)}
	log.Write(Record{Event: Event{
		Kind: LoginFailed, Session: "abcd2345", User: "\x1b]0;x\x07", Cause: "no such user",
	}})
	if strings.ContainsAny(out.String(), "\x1b\x07") {
		t.Errorf("control characters in %q", out.String())
	}
}
