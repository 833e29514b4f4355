package dtp

import (
	"fmt"
	"strings"
	"testing"
)

func TestParsePORT(t *testing.T) {
	for arg, want := range map[string]string{
		"192,0,2,1,19,137":            "192.0.2.1:5001",
		"192, 0, 2, 1, 0, 21":         "192.0.2.1:21",
		"255,255,255,255,255,255":     "255.255.255.255:65535",
		"192,0,2,1,0,0":               "",
		"192,0,2,1,19":                "",
		"192,0,2,1,19,137,1":          "",
		"192,0,2,1,19,256":            "",
		"192,0,2,1,+1,1":              "",
		"192,0,2,1,,1":                "",
		"192,0,2,1,0x1,1":             "",
		strings.Repeat("1,", 1000):    "",
		"":                            "",
		"192.0.2.1,19,137":            "",
		"|1|192.0.2.1|5001|":          "",
		"192,0,2,1,19,99999999999999": "",
	} {
		got, ok := ParsePORT(arg)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q is %v, %v", arg, got, ok)
		}
	}
}

// An argument that a parser accepts is an address of the named family and a port, and parses to the
// same address when it is written in the plain form.
func FuzzAddresses(f *testing.F) {
	for _, arg := range []string{
		"192,0,2,99,19,137", " 192, 0, 2, 99, 4, 0 ", "|1|192.0.2.99|5001|", "!2!2001:db8::1!65535!",
		"|2|::ffff:192.0.2.99|5001|", "|2|fe80::1%eth0|5001|", "||||", "|1|0.0.0.0|5001|", "11111",
	} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if to, ok := ParsePORT(arg); ok {
			a, p := to.Addr().As4(), to.Port()
			plain := fmt.Sprintf("%d,%d,%d,%d,%d,%d", a[0], a[1], a[2], a[3], p>>8, p&0xff)
			if again, ok := ParsePORT(plain); !ok || again != to || p == 0 {
				t.Errorf("PORT %q is %v", arg, to)
			}
		}
		family, to, ok := ParseEPRT(arg)
		if !ok {
			return
		}
		if is4 := family == "1"; to.Port() == 0 || is4 != to.Addr().Is4() || to.Addr().Is4In6() ||
			to.Addr().Zone() != "" {
			t.Errorf("EPRT %q is family %s, %v", arg, family, to)
		}
		plain := fmt.Sprintf("|%s|%s|%d|", family, to.Addr(), to.Port())
		if f, again, ok := ParseEPRT(plain); !ok || f != family || again != to {
			t.Errorf("EPRT %q is %s", arg, plain)
		}
	})
}
