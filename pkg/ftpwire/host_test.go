package ftpwire

import (
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	long := strings.Repeat("a", 63)
	for arg, want := range map[string]string{
		"ftp.example.org":         "name",
		" FTP.Example.ORG. ":      "name",
		"a_b-c.example":           "name",
		long + "." + long:         "name",
		long + "a":                "",
		strings.Repeat("a.", 128): "",
		"":                        "",
		".":                       "",
		"..":                      "",
		"a..b":                    "",
		"a b":                     "",
		"a\x00":                   "",
		"b\u00fccher.example":     "",
		"192.0.2.1":               "192.0.2.1",
		"[192.0.2.1]":             "192.0.2.1",
		"[::ffff:192.0.2.1]":      "192.0.2.1",
		"[2001:db8::1]":           "2001:db8::1",
		"fe80::1%eth0":            "fe80::1",
		"[2001:db8::1]:21":        "",
		"256.0.0.1":               "name",
	} {
		name, addr, ok := ParseHost(arg)
		got := ""
		switch {
		case ok && addr.IsValid():
			got = addr.String()
		case ok:
			got = "name"
		}
		if got != want || name != strings.Trim(arg, " ") {
			t.Errorf("%q is %q, name %q", arg, got, name)
		}
	}
}
