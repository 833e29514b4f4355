package core

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
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
		got, ok := parsePORT(arg)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q is %v, %v", arg, got, ok)
		}
	}
}

// What is taken is an address of the family that is named, and a port.
func FuzzActive(f *testing.F) {
	f.Add("192,0,2,1,19,137")
	f.Add("|1|192.0.2.1|5001|")
	f.Add("!2!2001:db8::1!65535!")
	f.Add("|2|::ffff:192.0.2.1|5001|")
	f.Add("|2|fe80::1%eth0|5001|")
	f.Add("||||")
	f.Fuzz(func(t *testing.T, arg string) {
		if to, ok := parsePORT(arg); ok && (!to.Addr().Is4() || to.Port() == 0) {
			t.Errorf("PORT %q is %v", arg, to)
		}
		family, to, ok := parseEPRT(arg)
		if !ok {
			return
		}
		if is4 := family == "1"; to.Port() == 0 || is4 != to.Addr().Is4() || to.Addr().Is4In6() || to.Addr().Zone() != "" {
			t.Errorf("EPRT %q is family %s, %v", arg, family, to)
		}
		if again, err := netip.ParseAddrPort(to.String()); err != nil || again != to {
			t.Errorf("EPRT %q: %v", arg, err)
		}
	})
}

// STAT gathers all before it answers, so there is a bound; a directory of just that size is listed whole.
func TestStatOfManyEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		fill(t, w.supervisor.home, maxSorted)
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret")
		if got := say(t, c, "STAT /"); strings.Count(got, "\r\n") != maxSorted+2 || !strings.HasSuffix(got, "213 End of status.\r\n") {
			t.Errorf("%d lines, the last is %q", strings.Count(got, "\r\n"), got[max(0, len(got)-80):])
		}
		if got := say(t, c, "MKD one-more\r\nSTAT /"); !strings.HasSuffix(got, "450 Too many entries for STAT; use LIST.\r\n") {
			t.Errorf("one more: %.200q", got)
		}
		c.Close()
		w.sessions.Wait()
	})
}
