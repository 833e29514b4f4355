package ftpwire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// feed filters the pieces as they arrive and returns the lines.
func feed(pieces ...[]byte) (lines []string, rest string, in *Input) {
	in = new(Input)
	var ahead []byte
	for _, p := range pieces {
		ahead = append(ahead, in.Filter(bytes.Clone(p))...)
		for {
			line, rest, ok := CutLine(ahead)
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
	long := strings.Repeat("x", MaxLine)
	for _, test := range []struct{ in, want string }{
		{"NOOP\r\n", "NOOP|"},
		{"a\nb\r\nc", "a|b|c"},
		{"\r\n\n", "||"},
		{"a\rb\r\r\n", "a\rb\r|"},
		{"\xff\xffx\n", "\xffx|"},
		{"a\xff\xf4b\n", "ab|"},
		{"\xff\xfb\xff\xffx\n", "x|"}, // WILL, the option 255, then an IAC that begins a line
		{"\xff\xfb\xff\xff\xf1\n", "|"},
		{"\xf4\xffabor\n", "\xf4\xffabor|"}, // IP and IAC as pyftpdlib's clients send them
		{"\xff\xfdx\xff\xfcyz\n", "z|"},
		{"\xff\xfa\x18\xff\xffq\xff\xf0z\n", "z|"},
		{"\xff\xfa\x18never ends\nz\n", "|z|"},
		{"\xff\xfa\x18\xff\nz\n", "|z|"},
		{"a\xffb\n", "a\xffb|"}, // a name from a client that does not double the IAC
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

// However the bytes are cut into pieces, the lines are the same, no line is longer than the
// bound, and no Telnet command takes a byte behind the end of its line.
func FuzzInput(f *testing.F) {
	f.Add([]byte("USER alice\r\nPASS secret\nNOOP"), 5)
	f.Add([]byte("\xff\xf4\xff\xf2ABOR\r\n"), 1)
	f.Add([]byte("RETR a\xff\xffb\r\n\xff\xfa\x18\xff\xf0\xff\xfb\x01x\n"), 8)
	f.Add([]byte("\xff\xfa\xff\nQUIT\n"), 3)
	f.Add([]byte("a\xff\xfa\xff\xff\xffb\n\xff\xfdc\xff\nd\r\r\n"), 3)
	f.Add([]byte(strings.Repeat("long ", 900)+"\r\n"), 2048)
	f.Add([]byte("RETR a\xffb\r\n"), 7)
	f.Add([]byte(strings.Repeat("x", MaxLine)+"\xffy\r\n"), MaxLine+1)
	f.Fuzz(func(t *testing.T, p []byte, at int) {
		whole, rest, _ := feed(p)
		checkLines(t, p, whole, rest)
		if at >= 0 && at <= len(p) {
			parts, partsRest, _ := feed(p[:at], p[at:])
			if !slices.Equal(parts, whole) || rest != partsRest {
				t.Errorf("cut at %d: %q %q, whole: %q %q", at, parts, partsRest, whole, rest)
			}
		}
		var bytes [][]byte
		for i := range p {
			bytes = append(bytes, p[i:i+1])
		}
		if each, eachRest, _ := feed(bytes...); !slices.Equal(each, whole) || rest != eachRest {
			t.Errorf("byte by byte: %q %q, whole: %q %q", each, eachRest, whole, rest)
		}
		more, _, _ := feed(p, []byte("\r\nNOOP\r\n"))
		if len(more) < 2 || more[len(more)-1] != "NOOP" {
			t.Errorf("%q: the next line is read as %q", p, more)
		}
	})
}

func checkLines(t *testing.T, p []byte, lines []string, rest string) {
	t.Helper()
	if len(rest) > MaxLine+1 {
		t.Errorf("%d bytes are kept", len(rest))
	}
	for _, line := range lines {
		if len(line) > MaxLine+1 || strings.Contains(line, "\n") {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if n := bytes.Count(p, []byte("\n")); len(lines) != n {
		t.Errorf("%q: %d lines are read as %d", p, n, len(lines))
	}
	if bytes.IndexByte(p, telnetIAC) >= 0 {
		return
	}
	for i, line := range strings.Split(string(p), "\n")[:len(lines)] {
		line = line[:min(len(line), MaxLine+1)]
		if strings.TrimSuffix(line, "\r") != lines[i] {
			t.Errorf("%q is read as %q", line, lines[i])
		}
	}
}
