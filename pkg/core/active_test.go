package core

import (
	"strings"
	"testing"
	"testing/synctest"

	"ftpd/pkg/listing"
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

// STAT collects the whole listing before it replies, so the number of entries is bounded. A
// directory of exactly that size is listed completely.
func TestStatOfManyEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		fill(t, w.supervisor.home, listing.MaxSorted)
		c := w.connect()
		heard(c)
		say(t, c, "USER alice\r\nPASS secret")
		if got := say(t, c, "STAT /"); strings.Count(got, "\r\n") != listing.MaxSorted+2 ||
			!strings.HasSuffix(got, "213 End of status.\r\n") {
			t.Errorf("%d lines, the last is %q",
				strings.Count(got, "\r\n"), got[max(0, len(got)-80):])
		}
		got := say(t, c, "MKD one-more\r\nSTAT /")
		if !strings.HasSuffix(got, "450 Too many entries for STAT; use LIST.\r\n") {
			t.Errorf("one more: %.200q", got)
		}
		c.Close()
		w.sessions.Wait()
	})
}
