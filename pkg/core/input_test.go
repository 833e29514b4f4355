package core

import (
	"bytes"
	"strings"
	"testing"
)

// feed filters the pieces as they arrive and returns the lines.
func feed(pieces ...[]byte) (lines []string, rest string, in *input) {
	in = new(input)
	var ahead []byte
	for _, p := range pieces {
		ahead = append(ahead, in.filter(bytes.Clone(p))...)
		for {
			line, rest, ok := cutLine(ahead)
			if !ok {
				break
			}
			lines = append(lines, string(line))
			ahead = rest
		}
	}
	return lines, string(ahead), in
}

func TestInput(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, test := range []struct{ in, want string }{
		{"NOOP\r\n", "NOOP|"},
		{"a\nb\r\nc", "a|b|c"},
		{"\r\n\n", "||"},
		{"a\rb\r\r\n", "a\rb\r|"},
		{"\xff\xffx\n", "\xffx|"},
		{"a\xff\xf4b\n", "ab|"},
		{"\xff\xfb\xff\xffx\n", "x|"}, // WILL and the option 255, then an IAC alone at the begin of a line
		{"\xff\xfb\xff\xff\xf1\n", "|"},
		{"\xf4\xffabor\n", "\xf4\xffabor|"}, // IP and IAC as pyftpdlib's clients send them
		{"\xff\xfdx\xff\xfcyz\n", "z|"},
		{"\xff\xfa\x18\xff\xffq\xff\xf0z\n", "z|"},
		{"\xff\xfa\x18never ends\nz\n", "|z|"},
		{"a\xffb\n", "a\xffb|"}, // a name whose client knows nothing of Telnet
		{"a\xff\r\nb\n", "a\xff|b|"},
		{"\xffNOOP\n", "NOOP|"},
		{"a\xff\xeb\xff\xffb\n", "a\xff\xeb\xffb|"},
		{"a\xff\xfb\nb\n", "a|b|"},
		{long + "\n", long + "|"},
		{long + "\r\n", long + "|"},
		{long + "x\r\nz\n", long + "x|z|"},
		{long + long + long + "\r\nz\n", long + "x|z|"},
	} {
		lines, rest, _ := feed([]byte(test.in))
		got := rest
		if len(lines) > 0 {
			got = strings.Join(lines, "|") + "|" + rest
		}
		if got != test.want {
			t.Errorf("%.40q is read as %.40q, not %.40q", test.in, got, test.want)
		}
	}
}

// However the bytes are cut into pieces, the lines are the same, and none is longer than the bound.
func FuzzInput(f *testing.F) {
	f.Add([]byte("USER alice\r\nPASS secret\nNOOP"), 5)
	f.Add([]byte("\xff\xf4\xff\xf2ABOR\r\n"), 1)
	f.Add([]byte("RETR a\xff\xffb\r\n\xff\xfa\x18\xff\xf0\xff\xfb\x01x\n"), 8)
	f.Add([]byte(strings.Repeat("long ", 900)+"\r\n"), 2048)
	f.Add([]byte("RETR a\xffb\r\n"), 7)
	f.Add([]byte(strings.Repeat("x", maxLine)+"\xffy\r\n"), maxLine+1)
	f.Fuzz(func(t *testing.T, p []byte, at int) {
		whole, rest, _ := feed(p)
		if len(rest) > maxLine+1 {
			t.Errorf("%d bytes are kept", len(rest))
		}
		for _, line := range whole {
			if len(line) > maxLine+1 || strings.Contains(line, "\n") {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		if at < 0 || at > len(p) {
			return
		}
		parts, partsRest, _ := feed(p[:at], p[at:])
		if strings.Join(parts, "\n") != strings.Join(whole, "\n") || rest != partsRest {
			t.Errorf("cut at %d: %q %q, whole: %q %q", at, parts, partsRest, whole, rest)
		}
	})
}
