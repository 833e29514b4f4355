package ftpwire

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReply(t *testing.T) {
	for _, test := range []struct {
		reply Reply
		want  string
	}{
		{Replyf(200, "OK."), "200 OK.\r\n"},
		{Replyf(200, "100% of it."), "200 100% of it.\r\n"},
		{Replyf(213, "%d", 42), "213 42\r\n"},
		{Replyf(257, "%s is here.", Quote(`/a"b`)), "257 \"/a\"\"b\" is here.\r\n"},
		{Replyf(250, "%s", "\xff\r\n\x00\xfe"), "250 \xff\xff???\xfe\r\n"},
		{Lines(230, "Hello.\r\n\n211 is no code here.\nBye.\n"),
			"230-Hello.\r\n\r\n 211 is no code here.\r\n230 Bye.\r\n"},
		{Reply{Code: 211, Text: []string{"1", " 2", "3"}}, "211-1\r\n 2\r\n211 3\r\n"},
	} {
		if got := string(test.reply.Append(nil)); got != test.want {
			t.Errorf("%q is written as %q, not %q", test.reply.Text, got, test.want)
		}
	}
}

func TestReplyIsAnError(t *testing.T) {
	plain := Replyf(550, "No.")
	refused := plain.Because(io.ErrClosedPipe)
	if !errors.Is(refused, io.ErrClosedPipe) || refused.Error() != "550 No." {
		t.Error(refused)
	}
	if plain.Reason() != "No." || refused.Reason() != io.ErrClosedPipe.Error() {
		t.Errorf("the reasons are %q and %q", plain.Reason(), refused.Reason())
	}
	if !refused.IsRefusal() || Replyf(350, "Go on.").IsRefusal() {
		t.Error("codes from 400 on are refusals, and no others")
	}
	if !Replyf(229, "").NamesPort() || Replyf(228, "").NamesPort() {
		t.Error("227 and 229 name a port, and no others")
	}
}

// Every reply is one reply with as many lines as it has texts, whatever they contain.
func FuzzReply(f *testing.F) {
	for _, text := range []string{
		"", "one", "first\nlast", "211 looks like one\n211 and another\n212-and more",
		"a\r\nb\r\n", "\x00\r", "\n\n", "5\n",
	} {
		f.Add(text, "Listing /d\r\n226 Done.", 211)
	}
	f.Fuzz(func(t *testing.T, text, name string, code int) {
		if code < 100 || code > 599 {
			return
		}
		for _, r := range []Reply{
			Lines(code, text),
			{Code: code, Text: []string{"Listing " + name, " " + text, "End"}},
			Replyf(code, "%s", text),
			Replyf(code, "%s is it.", Quote(name)),
		} {
			wire := string(r.Append(nil))
			if n := replyLines(wire); n != len(r.Text) {
				t.Errorf("%q is written as %q", r.Text, wire)
			}
		}
	})
}

// replyLines reads wire as a client does (RFC 959 §4.2). It returns the number of lines of its
// only reply, 0 when wire is anything else.
func replyLines(wire string) int {
	text, ok := strings.CutSuffix(wire, "\r\n")
	if !ok || len(text) < 4 ||
		strings.ContainsAny(strings.ReplaceAll(text, "\r\n", ""), "\r\n\x00") {
		return 0
	}
	lines := strings.Split(text, "\r\n")
	last := len(lines) - 1
	if last == 0 && text[3] == ' ' {
		return 1
	}
	for i, line := range lines[1:] {
		if text[3] != '-' || strings.HasPrefix(line, text[:3]+" ") != (i+1 == last) {
			return 0
		}
	}
	return last + 1
}
