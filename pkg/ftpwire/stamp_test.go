package ftpwire

import (
	"strings"
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	for in, want := range map[string]string{
		"20200229235959":     "20200229235959",
		"20200229235959.123": "20200229235959",
		"00000101000000":     "00000101000000",
		"20200230000000":     "",
		"2020022923595":      "",
		"202002292359590":    "",
		"20200229235959Z":    "",
		"":                   "",
	} {
		got := ""
		if at, ok := ParseStamp(in); ok {
			got = string(AppendStamp(nil, at.In(time.FixedZone("", 3600))))
		}
		if got != want {
			t.Errorf("%q is read as %q, not %q", in, got, want)
		}
	}
}

// Each time is written in 14 digits, and a later time never sorts before an earlier one.
func FuzzStamp(f *testing.F) {
	f.Add(int64(-70_000_000_000), int64(253402300800))
	f.Add(int64(-1)<<62, int64(1)<<62)
	f.Fuzz(func(t *testing.T, a, b int64) {
		a, b = min(a, b)>>1, max(a, b)>>1 // time.Time cannot hold all of them
		first := string(AppendStamp(nil, time.Unix(a, 0)))
		second := string(AppendStamp(nil, time.Unix(b, 0)))
		if len(first) != 14 || strings.Trim(first, "0123456789") != "" || first > second {
			t.Errorf("%d and %d are %s and %s", a, b, first, second)
		}
	})
}

// A time and a pathname are taken out of an argument without a change.
func FuzzTimes(f *testing.F) {
	for _, arg := range []string{
		"20200101000000 f", "20200229235959.123 a b", "20200101000000",
		"f 20200101000000 20210101000000 20220101000000 UTC",
		"20201301000000 f", "99991231235959  f",
		"20200101000000 20200101000000 20200101000000 UTC", " UTC", "f UTC", "",
	} {
		f.Add(arg)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		at, name, ok := CutStamp(arg)
		stamp, rest, _ := strings.Cut(arg, " ")
		if ok && (name == "" || name != rest) {
			t.Errorf("MDTM %q names %q", arg, name)
		}
		if ok && !strings.HasPrefix(stamp, string(AppendStamp(nil, at))) {
			t.Errorf("MDTM %q is %v", arg, at)
		}
		name, stamp = UtimeArgument(arg)
		if !strings.Contains(arg, name) || !strings.Contains(arg, stamp) {
			t.Errorf("SITE UTIME %q names %q, %q", arg, name, stamp)
		}
	})
}
