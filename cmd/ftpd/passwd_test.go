package main

import (
	"os"
	"strings"
	"testing"

	"ftpd/pkg/config"
)

// From a pipe, the first line is the password. The configuration accepts the hash.
func TestPasswd(t *testing.T) {
	for in, want := range map[string]string{
		"secret\nrest\n": "", "secret": "", "secret\r\n": "", " blanks \n": "",
		"": "empty", "\n": "empty", "a\x00b\n": "control character",
		strings.Repeat("x", 2000): "longer than 1024",
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(in); err != nil {
			t.Fatal(err)
		}
		w.Close()
		old := os.Stdin
		os.Stdin = r
		var out, errOut strings.Builder
		code := runPasswd(nil, &out, &errOut)
		os.Stdin = old
		r.Close()
		var hash config.Hash
		switch {
		case want != "" && (code != exitError || !strings.Contains(errOut.String(), want)):
			t.Errorf("%.20q: %d, %s", in, code, errOut.String())
		case want == "" &&
			(code != exitOK || hash.UnmarshalText([]byte(strings.TrimSpace(out.String()))) != nil):
			t.Errorf("%.20q: %d, %s%s", in, code, out.String(), errOut.String())
		}
	}
}
